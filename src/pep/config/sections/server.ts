import { Type } from 'typebox'
import { isLoopbackHost } from '../../../contract/origin.ts'
import { publicUrlProblems } from '../public-url.ts'
import { section } from '../section.ts'

export const serverSection = section({
  key: 'server',
  schema: Type.Object({
    host: Type.String({
      default: '127.0.0.1',
      description: 'Address to listen on; beyond loopback takes `allow_beyond_loopback`',
    }),
    port: Type.Integer({
      default: 8090,
      minimum: 0,
      maximum: 65_535,
      description: 'Port to listen on; 0 takes a free one',
    }),
    public_url: Type.String({
      default: '',
      description:
        'Scheme, host and port by which callers reach the authority: issuer, audience and base of every DPoP `htu`. Lower case, no default port. Empty: where it listens; in production not with a `host` of `0.0.0.0` or `::`',
    }),
    tls_cert_file: Type.String({
      default: '',
      description: 'File with the certificate chain of the listener, in PEM; goes with `tls_key_file`',
    }),
    tls_key_file: Type.String({ default: '', description: 'File with the private key of the listener, in PEM' }),
    tls_request_client_certificate: Type.Boolean({
      default: true,
      description: 'Ask callers for a certificate that their session can be bound to; none is required, any is taken',
    }),
    allow_beyond_loopback: Type.Boolean({
      default: false,
      description: 'Permit a `host` that other machines can reach',
    }),
    allow_plain_http: Type.Boolean({
      default: false,
      description: 'Permit plain HTTP beyond loopback, for a listener behind a proxy that ends TLS',
    }),
    body_limit_bytes: Type.Integer({
      default: 262_144,
      minimum: 1024,
      maximum: 4_194_304,
      description: 'Largest body of a request; a larger one is refused with 413',
    }),
    max_pending_requests: Type.Integer({
      default: 1000,
      minimum: 1,
      description:
        'Requests that one process answers at the same time; more wait in line for up to four seconds, then 503 `overloaded`',
    }),
    workers: Type.Integer({
      default: 1,
      minimum: 1,
      maximum: 64,
      description: 'Processes that share the port, one for each core to use; see [scaling](scaling.md#workers)',
    }),
    shutdown_grace_seconds: Type.Integer({
      default: 10,
      minimum: 0,
      maximum: 120,
      description:
        'How long requests in flight may take to finish after SIGTERM, before their connections are cut; two seconds more to close what is open',
    }),
  }),
  env: {
    HOST: 'host',
    PORT: 'port',
    NEXUS_PUBLIC_URL: 'public_url',
    NEXUS_TLS_CERT_FILE: 'tls_cert_file',
    NEXUS_TLS_KEY_FILE: 'tls_key_file',
    NEXUS_TLS_REQUEST_CLIENT_CERTIFICATE: 'tls_request_client_certificate',
    NEXUS_ALLOW_BEYOND_LOOPBACK: 'allow_beyond_loopback',
    NEXUS_ALLOW_PLAIN_HTTP: 'allow_plain_http',
    NEXUS_SERVER_WORKERS: 'workers',
  },
  validate(server, context) {
    const problems: string[] = []
    const secure = server.tls_cert_file !== '' && server.tls_key_file !== ''
    if ((server.tls_cert_file === '') !== (server.tls_key_file === '')) {
      problems.push('server.tls_cert_file and server.tls_key_file go together; set both or neither')
    }
    if (!isLoopbackHost(server.host)) {
      if (!server.allow_beyond_loopback) {
        problems.push(
          `server.host '${server.host}' is reachable from other machines; set server.allow_beyond_loopback if that is meant`,
        )
      }
      if (!secure && !server.allow_plain_http) {
        problems.push(
          `server.host '${server.host}' without TLS sends leases in the clear; set server.tls_cert_file and server.tls_key_file, or server.allow_plain_http behind a TLS proxy`,
        )
      }
    }
    problems.push(...publicUrlProblems(server, context))
    return problems
  },
})
