import type { User } from '../users/user-store.ts';
import type { RouteServices } from './services.ts';

/** What every page needs to know, and what this one needs on top. */
export function pageData(
  { site, bypass }: RouteServices,
  viewer: User | undefined,
  data: object,
): object {
  return {
    site: {
      name: site.name,
      development: !site.production,
      bypass: bypass?.isOn() ?? false,
      registration: site.registration,
      inspector: site.inspector,
    },
    viewer: viewer === undefined ? null : { username: viewer.username, name: viewer.name },
    ...data,
  };
}
