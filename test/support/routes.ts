type Method = 'GET' | 'HEAD' | 'POST' | 'DELETE' | 'OPTIONS';

/** Every path of the service with all that is switched on, and the methods that it answers. */
export const ROUTES: readonly { readonly path: string; readonly methods: readonly Method[] }[] = [
  { path: '/auth/token', methods: ['GET'] },
  { path: '/auth/session', methods: ['GET'] },
  { path: '/auth/me', methods: ['GET'] },
  { path: '/auth/login', methods: ['POST'] },
  { path: '/auth/register', methods: ['POST'] },
  { path: '/auth/password', methods: ['POST'] },
  { path: '/auth/email', methods: ['POST'] },
  { path: '/auth/logout', methods: ['GET', 'POST'] },
  { path: '/auth/sessions', methods: ['GET', 'DELETE'] },
  { path: '/auth/sessions/end', methods: ['POST'] },
  { path: '/auth/sessions/:id', methods: ['DELETE'] },
  { path: '/auth/bypass', methods: ['GET'] },
  { path: '/', methods: ['GET', 'HEAD'] },
  { path: '/login', methods: ['GET', 'HEAD'] },
  { path: '/register', methods: ['GET', 'HEAD'] },
  { path: '/account', methods: ['GET', 'HEAD'] },
  { path: '/inspect', methods: ['GET', 'HEAD', 'POST'] },
  { path: '/assets/style.css', methods: ['GET', 'HEAD'] },
  { path: '/assets/copy.js', methods: ['GET', 'HEAD'] },
  { path: '/assets/icon.svg', methods: ['GET', 'HEAD'] },
  { path: '/assets/inspect.css', methods: ['GET', 'HEAD'] },
  { path: '/assets/inspect.js', methods: ['GET', 'HEAD'] },
  { path: '/.well-known/jwks.json', methods: ['GET', 'HEAD', 'OPTIONS'] },
  { path: '/.well-known/oauth-authorization-server', methods: ['GET', 'HEAD', 'OPTIONS'] },
  { path: '/.well-known/openid-configuration', methods: ['GET', 'HEAD', 'OPTIONS'] },
  { path: '/status-lists', methods: ['GET', 'HEAD', 'OPTIONS'] },
  { path: '/status-lists/:id', methods: ['GET', 'HEAD', 'OPTIONS'] },
  { path: '/oauth/introspect', methods: ['POST'] },
  { path: '/oauth/revoke', methods: ['POST'] },
  { path: '/healthz', methods: ['GET', 'HEAD'] },
  { path: '/readyz', methods: ['GET', 'HEAD'] },
];

/** Whether what is there is the same for everybody, so that pages of any site may read it. */
export function isForAnySite(path: string): boolean {
  return path.startsWith('/.well-known/') || path.startsWith('/status-lists');
}

export const PATHS: readonly string[] = ROUTES.map(({ path }) => path);
