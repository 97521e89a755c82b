/** `globalThis.fetch`, or something like it. */
export type Fetch = typeof globalThis.fetch;

export interface BoundedRequest {
  readonly url: string;
  readonly accept: string;
  readonly fetch: Fetch;
  /** Bytes that the body may have. */
  readonly limit: number;
  /** Milliseconds for the whole exchange, the body included. Default 5,000. */
  readonly timeout?: number;
}

export interface BoundedAnswer {
  readonly body: Buffer;
  readonly headers: Headers;
}

/**
 * Gets a document: 200 and no other status, no redirects (they would lead to where nobody configured), no more bytes
 * and no longer than allowed.
 * @throws an error that tells an operator why there is no document
 */
export async function boundedFetch(request: BoundedRequest): Promise<BoundedAnswer> {
  const { timeout = 5000 } = request;
  const controller = new AbortController();
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    const error = new Error(`${request.url} did not answer within ${timeout} ms`);
    controller.abort(error);
    late.reject(error); // a fetch of the caller's own may not know signals
  }, timeout);
  try {
    return await Promise.race([exchange(request, controller.signal), late.promise]);
  } finally {
    clearTimeout(timer);
    controller.abort(); // nobody reads the rest
  }
}

async function exchange(request: BoundedRequest, signal: AbortSignal): Promise<BoundedAnswer> {
  const { url, accept, fetch, limit } = request;
  const response = await fetch(url, { headers: { Accept: accept }, redirect: 'error', signal });
  if (response.status !== 200 || response.redirected) {
    throw new Error(`${url} answered with status ${response.status}`);
  }
  const body: AsyncIterable<Uint8Array> | null = response.body;
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of body ?? []) {
    length += chunk.byteLength;
    if (length > limit) throw new Error(`${url} answered with more than ${limit} bytes`);
    chunks.push(chunk);
  }
  return { body: Buffer.concat(chunks), headers: response.headers };
}
