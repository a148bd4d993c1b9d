mod accounts;
mod gateways_alipay;
mod gateways_alipay_calls;
mod gateways_notices;
mod gateways_vectors;
mod gateways_wechatpay;
mod purchase;
mod settle;
