alter table variant drop column restock_expected_at;
