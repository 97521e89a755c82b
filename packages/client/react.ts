import { useSyncExternalStore } from 'react';
import type { Auth } from './index.ts';

/**
 * Who is signed in, for a component that is rendered again when that changes. On a server it is `unknown`, and nobody is
 * asked.
 */
export function useAuth(auth: Auth): Pick<Auth, 'state' | 'user'> {
  const state = useSyncExternalStore(
    auth.subscribe,
    () => auth.state,
    () => 'unknown' as const,
  );
  const user = useSyncExternalStore(
    auth.subscribe,
    () => auth.user,
    () => undefined,
  );
  return { state, user };
}
