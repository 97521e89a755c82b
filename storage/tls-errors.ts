/** The codes of Node and of OpenSSL for TLS that a server does not pass: a certificate, a name, a protocol. */
export const TLS_REFUSED =
  /^(?:CERT_|ERR_TLS_CERT|SELF_SIGNED|DEPTH_ZERO|UNABLE_TO|HOSTNAME_MISMATCH|INVALID_CA|ERR_OSSL|ERR_SSL)/;
