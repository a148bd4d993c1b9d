drop table upload, file_version, file, price, variant, product;
