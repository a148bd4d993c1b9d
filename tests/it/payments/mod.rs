mod accounts;
mod gateways_notices;
mod gateways_vectors;
mod purchase;
mod settle;
