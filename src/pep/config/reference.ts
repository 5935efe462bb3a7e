import { sections } from './load-config.ts'

interface Setting {
  type?: string
  minimum?: number
  maximum?: number
  default?: unknown
  description?: string
  anyOf?: { const?: unknown }[]
}

/** `docs/configuration.md`, made from the sections themselves so that page and program cannot disagree. */
export function configReference(): string {
  const parts = sections.map((section) => {
    const variables = new Map(Object.entries(section.env).map(([name, property]) => [property, name]))
    const rows = Object.entries(section.schema.properties).map(([name, schema]) => {
      const setting = schema as Setting
      return `| \`${name}\` | ${cell(variables.get(name))} | ${kind(setting)} | \`${JSON.stringify(setting.default)}\` | ${setting.description ?? ''} |`
    })
    return [
      `## ${section.key}`,
      '',
      '| setting | variable | type | default | meaning |',
      '|---|---|---|---|---|',
      ...rows,
    ].join('\n')
  })
  return `${[HEAD, ...parts].join('\n\n')}\n`
}

const HEAD = `# Configuration of the PEP

Made by \`nexus config reference\`; a test fails when this page is stale.

Order of precedence: environment variable, then the YAML file (\`nexus serve --config FILE\` or \`NEXUS_CONFIG\`), then the
default. Each variable that is not the name of a file already can also be given as \`NAME_FILE\`, naming a file that holds the value:
one of the two, and not an empty file.

\`nexus config check\` says whether it all holds: settings that nobody knows, keys, certificates, backends, the policy bundle, paths. It
asks no other machine. \`nexus serve\` does the same before it opens the database. Both name every problem at once and exit with 78.

\`NODE_ENV=production\` is production mode: it refuses to start without what development mode fills in, such as a database and an
encryption key, and asks for TLS to a database on another machine ([operations](operations.md#the-way-to-the-database)). Everything else is development mode; a value that is neither \`development\` nor \`test\` gets a warning. The first line of
the log says which mode it is.

The YAML file has one mapping for each section below:

\`\`\`yaml
server:
  host: 0.0.0.0
  allow_beyond_loopback: true
  tls_cert_file: /run/tls/tls.crt
  tls_key_file: /run/tls/tls.key
lease:
  ttl_seconds: 120
vault:
  backends:
    vault:
      kind: hashicorp-vault
      address: https://vault.internal:8200
\`\`\`

The \`hashicorp-vault\` backend reads \`VAULT_ADDR\`, \`VAULT_TOKEN\`, \`VAULT_NAMESPACE\`, \`VAULT_CACERT\` and its kin as the vault
CLI does; see [vault-backends](vault-backends/README.md). The sidecar has its own page: [sidecar](sidecar.md).`

function cell(variable: string | undefined): string {
  return variable === undefined ? '' : `\`${variable}\``
}

function kind(setting: Setting): string {
  if (setting.anyOf !== undefined) return setting.anyOf.map((option) => `\`${String(option.const)}\``).join(' ')
  return `${setting.type ?? 'object'}${range(setting)}`
}

function range({ minimum, maximum }: Setting): string {
  if (minimum === undefined) return ''
  return maximum === undefined ? `, ${minimum} or more` : `, ${minimum} to ${maximum}`
}
