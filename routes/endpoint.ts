import type { ErrorRequestHandler, RequestHandler, Router } from 'express';
import { Problem } from '../core/errors.ts';

type Step = RequestHandler | ErrorRequestHandler;
type Method = 'get' | 'head' | 'post' | 'delete' | 'options';

/**
 * Serves a path: a list of steps for each method, and 405 with `Allow` for every other. HEAD is among the
 * others unless it is listed, since Express would run the steps of GET for it, a login's included.
 */
export function endpoint(
  router: Router,
  path: string,
  methods: Partial<Record<Method, readonly Step[]>>,
): void {
  const names = Object.keys(methods).map((name) => name.toUpperCase());
  const allowed = new Set(names);
  const headers = { Allow: names.join(', ') };
  const route = router.route(path);
  route.all((req, _res, next) => {
    if (allowed.has(req.method)) return next();
    throw new Problem('method_not_allowed', `${path} answers ${headers.Allow} only.`, { headers });
  });
  for (const [method, steps] of Object.entries(methods)) {
    const add: Partial<Record<string, (...steps: Step[]) => unknown>> = {
      get: route.get.bind(route),
      head: route.head.bind(route),
      post: route.post.bind(route),
      options: route.options.bind(route),
      delete: route.delete.bind(route),
    };
    add[method]?.(...steps);
  }
}
