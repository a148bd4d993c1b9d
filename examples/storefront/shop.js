// The shop's API, as any client sees it: one endpoint, two kinds of errors.

const base = document.querySelector('meta[name=shop]').content || location.origin;

/** A refusal that the buyer can do something about: `code` is stable, `message` is ready to show. */
export class Refused extends Error {
  constructor(error) {
    super(error.message);
    this.code = error.code;
    this.retryAfterSeconds = error.retryAfterSeconds;
  }
}

/** Runs one operation and gives its data. `field` names the mutation whose `userErrors` count. */
export async function ask(query, variables = {}, { token, language, field } = {}) {
  const headers = { 'content-type': 'application/json', accept: 'application/graphql-response+json' };
  if (token) headers.authorization = `Bearer ${token}`;
  if (language) headers['accept-language'] = language;
  const answer = await fetch(`${base}/graphql`, { method: 'POST', headers, body: JSON.stringify({ query, variables }) });
  const body = await answer.json();
  if (body.errors?.length) {
    const [error] = body.errors;
    throw new Refused({ message: error.message, code: error.extensions?.code });
  }
  const refused = field && body.data[field]?.userErrors?.[0];
  if (refused) throw new Refused(refused);
  return body.data;
}

const LINE = `fragment Line on OrderLine { id title variantTitle kind quantity state whyNotDelivered { message }
  grants { id canDownload remaining file { name size sha256 } } }`;
const ORDER = `fragment Ord on Order { id number state stage placedAt canPay total { amount currency }
  secondsToPay live { pollAfterSeconds } whyNotDelivered { message } payments { id state action { hostedUrl } }
  lines { ...Line } }
  ${LINE}`;

export const SHOP = 'query Shop { shop { name currencies defaultCurrency locales } }';
export const PRODUCTS = `query Products($cur: CurrencyCode) { products(first: 20, sort: NAME, currency: $cur) { nodes {
  id slug name summary availability { level canBuy text }
  variants { id name price(currency: $cur) { unit { amount currency } } goods { kind } } } } }`;
export const QUOTE = `query Quote($in: QuoteInput!) { quote(input: $in) { token canPlace total { amount currency }
  problems { code message } lines { problems { code message } } paymentMethods { id title available } } }`;
export const EMAIL_CODE = `mutation EmailCode($in: EmailCodeRequestInput!) { emailCodeRequest(input: $in) {
  userErrors { code message } } }`;
export const BUY = `mutation Buy($in: OrderPlaceInput!) { orderPlace(input: $in) { accessToken order { id number stage }
  payment { id action { kind hostedUrl } } userErrors { code message } paymentErrors { code message } } }`;
export const ORDER_PAGE = `query OrderPage($n: String!, $t: String) { order(number: $n, accessToken: $t) { ...Ord } } ${ORDER}`;
export const ORDER_STATUS = `query OrderStatus($t: String!) { orderStatus(ticket: $t) { number stage whyNotDelivered { message }
  live { pollAfterSeconds } } }`;
export const CHECK = `mutation Check($in: PaymentCheckInput!) { paymentCheck(input: $in) { payment { state }
  userErrors { code message retryAfterSeconds } } }`;
export const REVEAL = `mutation Reveal($line: ID!, $t: String) { deliveryReveal(input: {target: {lineId: $line}, accessToken: $t}) {
  secrets { text } line { id state } userErrors { code message } } }`;
export const LINK = `mutation Link($in: DownloadLinkCreateInput!) { downloadLinkCreate(input: $in) { link { url file { name } }
  userErrors { code message } } }`;
export const LIBRARY = `query Library { myDownloads(first: 30) { nodes { ...Line order { number } } } } ${LINE}`;
export const SIGN_IN = `mutation SignIn($in: SessionCreateInput!) { sessionCreate(input: $in) {
  tokens { accessToken accessExpiresAt refreshToken } user { email } userErrors { code message } } }`;
export const REFRESH = `mutation Refresh($in: SessionRefreshInput!) { sessionRefresh(input: $in) {
  tokens { accessToken accessExpiresAt refreshToken } userErrors { code message } } }`;
