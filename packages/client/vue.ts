import { getCurrentInstance, onMounted, onScopeDispose, type ShallowRef, shallowRef } from 'vue';
import type { Auth, AuthState, User } from './index.ts';

export interface AuthRefs {
  readonly state: Readonly<ShallowRef<AuthState>>;
  readonly user: Readonly<ShallowRef<User | undefined>>;
}

/**
 * Who is signed in, as refs that follow it. In a component that begins when it is mounted, so that nobody is asked on a
 * server; elsewhere, as in a store, at once.
 */
export function useAuth(auth: Auth): AuthRefs {
  const state = shallowRef(auth.state);
  const user = shallowRef(auth.user);
  const follow = () => {
    state.value = auth.state;
    user.value = auth.user;
  };
  let stop: (() => void) | undefined;
  const start = () => {
    stop = auth.subscribe(follow);
    follow();
  };
  onScopeDispose(() => stop?.());
  if (getCurrentInstance()) onMounted(start);
  else start();
  return { state, user };
}
