import { createInspector, type Inspector } from '../tokens/inspector.ts';
import { findKeyFacts } from '../tokens/key-facts.ts';
import { statusEntry } from '../tokens/status-check.ts';
import { statusListAddresses } from './revocation.ts';
import type { Services } from './services.ts';

/** What takes tokens apart and checks them as this service does, for its page and its command. */
export function openInspector(
  services: Pick<Services, 'settings' | 'clock' | 'verifier' | 'keys' | 'statusLists' | 'sessions'>,
): Inspector {
  const { settings, clock, verifier, keys, statusLists, sessions } = services;
  const { listOf } = statusListAddresses(settings.publicUrl);
  return createInspector({
    verifier,
    clock,
    issuer: settings.jwt.issuer,
    audiences: settings.jwt.audiences,
    production: settings.mode === 'production',
    keys: (kid) => findKeyFacts(keys.context, kid),
    isRevoked: async (entry) => statusLists.isRevoked(statusEntry(entry, listOf)),
    async sessionGoesOn(userId, publicId) {
      const own = await sessions.list(userId);
      return own.some((session) => session.publicId === publicId);
    },
  });
}
