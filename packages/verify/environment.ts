/** Whether this process says that it runs in production: what `production` is where the caller does not say. */
export function inProduction(): boolean {
  return process.env['NODE_ENV'] === 'production';
}
