-- Contracts: tables of kinds that the program before does not sell.
drop table unit_secret;
drop table secret_version;
