import { challenge, type HttpForm } from './http-form.ts';

const FORMS = {
  token_required: { status: 401, title: 'A token is required', error: undefined },
  invalid_request: {
    status: 400,
    title: 'The request is not understood',
    error: 'invalid_request',
  },
  insufficient_scope: { status: 403, title: 'Not allowed', error: 'insufficient_scope' },
} as const;

export type RequestErrorCode = keyof typeof FORMS;

/**
 * A request that cannot be let through, although no token was found wrong (RFC 6750, section 3.1): it has none (401
 * `token_required`), presents it in a way that is refused (400 `invalid_request`), or its bearer lacks a role (403
 * `insufficient_scope`). The message may be shown to whoever sent it.
 */
export class RequestError extends Error implements HttpForm {
  override readonly name = 'RequestError';
  readonly code: RequestErrorCode;
  readonly status: number;
  readonly title: string;
  readonly headers: Readonly<Record<string, string>>;

  constructor(code: RequestErrorCode, message: string) {
    super(message);
    const { status, title, error } = FORMS[code];
    this.code = code;
    this.status = status;
    this.title = title;
    this.headers = { 'WWW-Authenticate': challenge(error) };
  }
}
