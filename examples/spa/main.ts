/** A single-page app: sessions, tokens, tabs and lost networks are the business of `auth`. */
import { type Auth, createAuth } from '@coatcheck/client';

declare const SERVICE: string;
declare const API: string;

const auth: Auth = createAuth({ baseUrl: SERVICE, origins: [API] });

const signIn = element('sign-in', HTMLFormElement);
const orders = element('orders', HTMLUListElement);
let tokens = 0;
let claims: Record<string, unknown> | undefined;

auth.subscribe(show);
show();
setInterval(look, 1000);

signIn.addEventListener('submit', (event) => {
  event.preventDefault();
  const username = element('username', HTMLInputElement).value;
  const password = element('password', HTMLInputElement).value;
  auth.login({ username, password }).then(
    () => {
      signIn.reset();
      write('sign-in-problem', '');
    },
    (error: unknown) => write('sign-in-problem', words(error)),
  );
});
onClick('sign-out', () => auth.logout());
onClick('load', async () => {
  const { orders: list = [] } = await answerOf('GET', '/orders');
  orders.replaceChildren(...list.map(item));
});
onClick('delete', async () => {
  const last = orders.lastElementChild;
  if (!(last instanceof HTMLLIElement)) throw new Error('Ask the API first: nothing is listed.');
  await answerOf('DELETE', `/orders/${last.value}`);
  last.remove();
});

/** Asks the API, with the token; what it refuses is an error with its reason. */
async function answerOf(method: string, path: string): Promise<Answer> {
  const answer = await auth.fetch(API + path, { method });
  const body = (answer.status === 204 ? {} : await answer.json()) as Answer;
  if (!answer.ok)
    throw new Error(`The API answers ${answer.status}: ${body.detail ?? 'no reason'}`);
  return body;
}

/** What the API says, or why it does not. */
interface Answer {
  readonly orders?: readonly Order[];
  readonly detail?: string;
}

interface Order {
  readonly id: number;
  readonly what: string;
}

function item({ id, what }: Order): HTMLLIElement {
  const line = document.createElement('li');
  line.value = id;
  line.textContent = what;
  return line;
}

/** Shows what `auth` says, whenever it says something new. */
function show(): void {
  const { state, user } = auth;
  const signedIn = user !== undefined && state !== 'signed-out';
  write(
    'state',
    {
      unknown: 'Looking whether you are signed in…',
      'signed-in': `Signed in as ${user?.username ?? ''}.`,
      'signed-out': 'You are signed out.',
      offline: 'There is no network. What you have stays; it goes on by itself.',
    }[state],
  );
  signIn.hidden = state !== 'signed-out';
  element('signed-in', HTMLElement).hidden = !signedIn;
  if (!signedIn) {
    claims = undefined;
    tokens = 0;
    orders.replaceChildren();
    write('answer', '');
    return;
  }
  look();
}

/** Asks for the token again and again, which costs nothing: it is there, and when it is replaced nobody has to notice. */
function look(): void {
  if (auth.user === undefined) return;
  const had = auth.getToken().then(read, () => undefined); // `state` says why there is none
  void had.then(tell);
}

/** Anyone who has a token can read it; only the API, which checks the signature, may believe it. */
function read(token: string): void {
  const [, payload = ''] = token.split('.');
  const bytes = Uint8Array.from(atob(payload.replaceAll('-', '+').replaceAll('_', '/')), (char) =>
    char.charCodeAt(0),
  );
  const next = JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>;
  if (next['jti'] !== claims?.['jti']) tokens += 1;
  claims = next;
}

/** Shows the token that was read last. */
function tell(): void {
  if (claims === undefined) return;
  const { iat, exp, username, roles } = claims;
  const left = Math.max(0, Number(exp) - Date.now() / 1000);
  write('subject', String(username));
  write('roles', Array.isArray(roles) && roles.length > 0 ? roles.join(', ') : 'none');
  write('issued', new Date(Number(iat) * 1000).toLocaleTimeString());
  write('life', `${Math.floor(left / 60)} min ${Math.floor(left % 60)} s`);
  write('count', String(tokens));
  element('bar', HTMLProgressElement).value = left / (Number(exp) - Number(iat));
}

function onClick(id: string, action: () => Promise<unknown>): void {
  element(id, HTMLButtonElement).addEventListener('click', () => {
    action().then(
      () => write('answer', ''),
      (error: unknown) => write('answer', words(error)),
    );
  });
}

function words(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function write(id: string, text: string): void {
  const target = element(id, HTMLElement);
  if (target.textContent !== text) target.textContent = text;
}

function element<T extends HTMLElement>(id: string, type: new () => T): T {
  const found = document.getElementById(id);
  if (!(found instanceof type)) throw new Error(`index.html has no such element: ${id}`);
  return found;
}
