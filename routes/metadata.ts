import { type RequestHandler, Router } from 'express';
import { publicEndpoint, sendDocument } from './public-document.ts';
import type { RouteServices } from './services.ts';

/** How long what is said here may be kept, in seconds. The interlock of the keys reckons with twice that. */
const MAX_AGE = 600;

/** What an API needs to know to verify tokens by itself: the keys, and where everything is. */
export function metadataRoutes(services: RouteServices): Router {
  const router = Router({ caseSensitive: true, strict: true });
  publicEndpoint(router, '/.well-known/jwks.json', sendKeys(services));
  for (const name of ['oauth-authorization-server', 'openid-configuration']) {
    publicEndpoint(router, `/.well-known/${name}`, sendMetadata(services));
  }
  return router;
}

/** The public keys (RFC 7517, section 5). With a shared secret there are none. */
function sendKeys({ keyRing }: RouteServices): RequestHandler {
  return async (req, res) => {
    await keyRing.refresh();
    const body = JSON.stringify({ keys: keyRing.publicKeys() });
    sendDocument(req, res, { type: 'application/jwk-set+json', body, maxAge: MAX_AGE });
  };
}

/**
 * RFC 8414, section 2, and OpenID Connect Discovery 1.0, section 3, one document for both: only what exists. Lists
 * that would be empty are left out (RFC 8414, section 3.2), since there is no authorization endpoint here.
 */
function sendMetadata({ keyRing, site }: RouteServices): RequestHandler {
  const { issuer, publicUrl } = site;
  return async (req, res) => {
    await keyRing.refresh();
    const metadata = {
      issuer,
      jwks_uri: `${publicUrl}/.well-known/jwks.json`,
      introspection_endpoint: `${publicUrl}/oauth/introspect`,
      introspection_endpoint_auth_methods_supported: ['client_secret_basic'],
      revocation_endpoint: `${publicUrl}/oauth/revoke`,
      revocation_endpoint_auth_methods_supported: ['client_secret_basic'],
      status_list_aggregation_endpoint: `${publicUrl}/status-lists`,
      subject_types_supported: ['public'],
      // there are no ID tokens: it is where libraries look up how the tokens of an issuer are signed
      id_token_signing_alg_values_supported: keyRing.algorithms(),
    };
    const body = JSON.stringify(metadata);
    sendDocument(req, res, { type: 'application/json', body, maxAge: MAX_AGE });
  };
}
