/** What an API does wrong. */
export interface Weakness {
  /** What it means for the API, as a sentence. */
  readonly means: string;
  /** How to mend it, as a sentence. */
  readonly mend: string;
  /** The requirement of OWASP ASVS 5.0 that it fails, where there is one for certain. */
  readonly asvs?: string;
}

export const WEAKNESSES = {
  signature: {
    means: 'It takes claims that nobody has signed: whoever asks can be anybody.',
    mend: 'Verify the signature, and refuse what has none, before anything of the token is used.',
    asvs: '9.1.1',
  },
  algorithm: {
    means: 'The token itself says how it is checked, or that it is not.',
    mend: "Name the one algorithm of the key in the code; never take it from the token's header.",
    asvs: '9.1.2',
  },
  confusion: {
    means: 'It takes its public key for a shared secret: whoever reads the key set can sign.',
    mend: 'Name the algorithm of the key pair, and no HS beside it; keep the key as a key object, not as a text.',
    asvs: '9.1.2',
  },
  secret: {
    means: 'Its secret is empty or can be guessed: anybody can sign.',
    mend: 'Set a secret of 64 random bytes, and let the API refuse to start without it.',
  },
  key: {
    means: 'It checks the signature with a key that the token brings, names or points at.',
    mend: 'Take keys only from a list or an address in the settings, by a kid that is on it; ignore jwk, jku and x5u.',
    asvs: '9.1.3',
  },
  address: {
    means: 'It fetches what an unchecked token points at: an attacker chooses where it calls.',
    mend: 'Fetch keys and status lists only for addresses in the settings, or after the signature was verified.',
    asvs: '9.1.3',
  },
  lifetime: {
    means: 'It takes tokens outside the time for which they are good.',
    mend: 'Check exp and nbf, with a few seconds of tolerance.',
    asvs: '9.2.1',
  },
  endless: {
    means: 'A token whose end cannot be read is good for ever.',
    mend: 'Demand exp, as a number: most libraries check it only where it is there.',
  },
  audience: {
    means: 'A token that was meant for another API, or for nobody in particular, opens this one.',
    mend: "Demand the API's own name in aud.",
    asvs: '9.2.3',
  },
  issuer: {
    means: 'It takes tokens in the name of another issuer.',
    mend: 'Demand the one issuer of the settings in iss.',
  },
  type: {
    means:
      'It takes something else that the issuer signed, such as a public status list, for a token.',
    mend: 'Demand the typ of a token: JWT, or at+jwt with JWT_PROFILE=rfc9068.',
    asvs: '9.2.2',
  },
  revocation: {
    means: 'A token stays good after a logout, until it expires.',
    mend: 'Look at the status list that the token names, or ask for it at /oauth/introspect.',
    asvs: '7.4.1',
  },
  critical: {
    means:
      'It ignores an extension that the token says must be understood (RFC 7515, section 4.1.11).',
    mend: 'Refuse tokens with crit.',
  },
  form: {
    means:
      'It reads one token in several spellings: a deny list, log or gateway that goes by the text misses some.',
    mend: 'Refuse what is not three parts of base64url with dots between them before a library sees it.',
  },
  query: {
    means: 'It takes tokens from the address, which ends up in logs and histories.',
    mend: 'Take tokens from the Authorization header only.',
    asvs: '14.2.1',
  },
  headers: {
    means:
      'Of two Authorization headers it takes one; a proxy in front may have checked the other.',
    mend: 'Answer 400 to a request with two (in Node: count them in rawHeaders), or let the proxy refuse it.',
  },
  crash: {
    means:
      'A token of an attacker makes it fail: it answered with an error of its own, or not at all.',
    mend: 'Catch whatever reading a token throws, and answer 401.',
  },
} as const satisfies Readonly<Record<string, Weakness>>;

export type WeaknessName = keyof typeof WEAKNESSES;
