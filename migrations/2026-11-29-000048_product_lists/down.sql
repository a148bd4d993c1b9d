drop index if exists translation_part;
drop index variant_kind, product_tags, product_created, product_updated;
drop trigger currency_listed on price_currency;
drop trigger price_listed_dropped on price;
drop trigger price_listed_changed on price;
drop trigger price_listed_new on price;
drop trigger variant_listed on variant;
drop trigger translation_listed_dropped on translation;
drop trigger translation_listed_set on translation;
drop trigger product_listed_changed on product;
drop trigger product_listed_new on product;
drop function currency_listed, price_listed, variant_listed, translation_listed, product_listed,
  refresh_product_prices, refresh_product_names;
drop table product_price;
drop table price_currency;
drop table product_name;
