const ENGLISH = {
  products: 'Products', downloads: 'My downloads', account: 'Sign in', signedIn: 'My account', signOut: 'Sign out',
  other: '中文', buy: 'Buy', soldOut: 'Sold out', email: 'Mail address', code: 'Code from the mail', sendCode: 'Mail me a code', password: 'Password', method: 'Way to pay',
  total: 'Total', pay: 'Buy now', order: 'Order', reveal: 'Show the key', download: 'Download', left: (n) => `${n} left`,
  unlimited: 'no limit', goPay: 'Go on to pay', nothing: 'Nothing here yet.', free: 'Free',
  guest: 'You are a guest: this browser remembers your orders.', back: 'All products',
  wrong: 'This did not work. Try again.', missing: 'There is no such order, or this browser does not hold its token.',
  stages: {
    AWAITING_PAYMENT: 'Waiting for your payment', CONFIRMING_PAYMENT: 'Confirming the payment', DELIVERING: 'Being delivered',
    PARTLY_DELIVERED: 'Partly delivered', DELIVERED: 'Delivered', NEEDS_ATTENTION: 'A person looks into it', EXPIRED: 'Expired',
    CANCELLED: 'Cancelled', REFUNDED: 'Refunded',
  },
};

const CHINESE = {
  products: '商品', downloads: '我的下载', account: '登录', signedIn: '我的账户', signOut: '退出登录',
  other: 'English', buy: '购买', soldOut: '售罄', email: '邮箱地址', code: '邮件验证码', sendCode: '发送验证码', password: '密码', method: '支付方式',
  total: '合计', pay: '立即购买', order: '订单', reveal: '显示密钥', download: '下载', left: (n) => `剩余 ${n} 次`,
  unlimited: '不限次数', goPay: '继续支付', nothing: '这里还没有内容。', free: '免费',
  guest: '您正以访客身份购物：订单记录保存在此浏览器中。', back: '全部商品',
  wrong: '操作未成功，请重试。', missing: '没有此订单，或此浏览器没有它的访问令牌。',
  stages: {
    AWAITING_PAYMENT: '等待付款', CONFIRMING_PAYMENT: '正在确认付款', DELIVERING: '交付中', PARTLY_DELIVERED: '部分交付',
    DELIVERED: '已交付', NEEDS_ATTENTION: '人工处理中', EXPIRED: '已过期', CANCELLED: '已取消', REFUNDED: '已退款',
  },
};

export const words = (language) => (language === 'zh' ? CHINESE : ENGLISH);

/** Amounts are decimal strings; only showing them turns them into a number. */
export const money = (language, { amount, currency }) =>
  new Intl.NumberFormat(language === 'zh' ? 'zh-CN' : 'en', { style: 'currency', currency, currencyDisplay: 'narrowSymbol' }).format(amount);
