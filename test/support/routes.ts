type Method = 'GET' | 'HEAD' | 'POST' | 'DELETE';

/** Every path of the service with all that is switched on, and the methods that it answers. */
export const ROUTES: readonly { readonly path: string; readonly methods: readonly Method[] }[] = [
  { path: '/auth/token', methods: ['GET'] },
  { path: '/auth/session', methods: ['GET'] },
  { path: '/auth/me', methods: ['GET'] },
  { path: '/auth/login', methods: ['POST'] },
  { path: '/auth/register', methods: ['POST'] },
  { path: '/auth/password', methods: ['POST'] },
  { path: '/auth/logout', methods: ['GET', 'POST'] },
  { path: '/auth/bypass', methods: ['GET'] },
  { path: '/', methods: ['GET', 'HEAD'] },
  { path: '/login', methods: ['GET', 'HEAD'] },
  { path: '/register', methods: ['GET', 'HEAD'] },
  { path: '/account', methods: ['GET', 'HEAD'] },
  { path: '/assets/style.css', methods: ['GET', 'HEAD'] },
  { path: '/assets/icon.svg', methods: ['GET', 'HEAD'] },
  { path: '/healthz', methods: ['GET', 'HEAD'] },
  { path: '/readyz', methods: ['GET', 'HEAD'] },
];

export const PATHS: readonly string[] = ROUTES.map(({ path }) => path);
