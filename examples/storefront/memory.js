// What this browser remembers: a guest's orders with the tokens that open them, the session of somebody who signed in,
// language and currency. A real shop keeps tokens where its other scripts cannot read them.

const read = (name, otherwise) => {
  try {
    return JSON.parse(localStorage.getItem(`dispense.${name}`)) ?? otherwise;
  } catch {
    return otherwise;
  }
};
const write = (name, value) => localStorage.setItem(`dispense.${name}`, JSON.stringify(value));

export const orders = () => read('orders', []);
export const tokenOf = (number) => orders().find((order) => order.number === number)?.token;
export const remember = (number, token) =>
  write('orders', [{ number, token }, ...orders().filter((order) => order.number !== number)].slice(0, 50));

export const session = () => read('session', null);
export const keepSession = (session) => write('session', session);

export const choice = (name, otherwise) => read(name, otherwise);
export const choose = (name, value) => write(name, value);

/** The key of a purchase stays the same until it was answered: a lost answer is asked for again, never bought twice. */
export function purchaseKey(cart) {
  const known = read('purchase', null);
  if (known?.cart === cart) return known.key;
  const key = crypto.randomUUID();
  write('purchase', { cart, key });
  return key;
}
export const purchaseDone = () => write('purchase', null);
