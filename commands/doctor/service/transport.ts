import { X509Certificate } from 'node:crypto';
import { connect } from 'node:tls';
import { lifetimeFindings, nameFindings } from '../certificate.ts';
import { type Finding, fine, note, orFine, wrong } from '../finding.ts';
import { EXCHANGE } from './questions.ts';
import type { Visit } from './visit.ts';

/** Whether what is said is encrypted, and by a protocol and a certificate that hold. */
export async function transport(visit: Visit): Promise<readonly Finding[]> {
  const { url } = visit;
  if (!visit.isSecure) return [plain(visit)];
  const { tls } = await visit.ask(EXCHANGE);
  if (tls === undefined) throw new Error('the connection has no TLS');
  const certificate = new X509Certificate(tls.certificate.raw);
  const line = `The certificate of ${url.host}`;
  const findings = [
    ...lifetimeFindings(certificate, visit.manner.clock.now(), line),
    ...nameFindings(certificate, url.hostname, line),
    ...(tls.distrust === undefined || visit.isLocal ? [] : [distrusted(tls.distrust)]),
    ...((await speaksOldTls(visit)) ? [oldTls()] : []),
  ];
  const until = certificate.validToDate.toISOString().slice(0, 10);
  return orFine(findings, `${tls.protocol}, a certificate until ${until}, and no TLS 1.0 or 1.1.`);
}

function plain({ isLocal, url }: Visit): Finding {
  if (isLocal) return fine('Plain http, on this machine only.');
  return wrong({
    what: `${url.origin} is plain http.`,
    why: 'Whoever is on the way reads passwords, cookies and tokens.',
    asvs: '12.2.1',
    change: `PUBLIC_URL=https://${url.hostname}`,
  });
}

function distrusted(reason: string): Finding {
  return note({
    what: `The certificate is not trusted on this machine: ${reason}.`,
    why: 'Either an intermediate certificate is not sent, which some clients bear and others do not, or it comes from an authority of your own.',
    asvs: '12.2.2',
    change: 'TLS_CERT_FILE=<the certificate, and those of the authorities between it and the root>',
  });
}

function oldTls(): Finding {
  return wrong({
    what: 'It still speaks TLS 1.0 or 1.1.',
    why: 'Both can be broken, and who is on the way can make an old client use them.',
    asvs: '12.1.1',
    change: 'nginx: ssl_protocols TLSv1.2 TLSv1.3;',
  });
}

/** Tries to connect with nothing newer, and with the ciphers of that time. */
function speaksOldTls({ url, host, manner }: Visit): Promise<boolean> {
  return new Promise((resolve) => {
    const { timeout, lookup } = manner;
    const socket = connect({
      host,
      port: Number(url.port || 443),
      ...(/^[\d.]+$|:/.test(host) ? {} : { servername: host }),
      minVersion: 'TLSv1',
      maxVersion: 'TLSv1.1',
      ciphers: 'DEFAULT@SECLEVEL=0',
      rejectUnauthorized: false, // it is not about who is there
      timeout,
      ...(lookup && { lookup }),
    });
    const end = (speaks: boolean) => {
      socket.destroy();
      resolve(speaks);
    };
    socket.once('secureConnect', () => end(true));
    socket.once('error', () => end(false));
    socket.once('timeout', () => end(false));
  });
}
