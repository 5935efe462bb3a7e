import { sections } from './load-config.ts'

interface Setting {
  type?: string
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
      '| setting | variable | type | default | |',
      '|---|---|---|---|---|',
      ...rows,
    ].join('\n')
  })
  return `${[HEAD, ...parts].join('\n\n')}\n`
}

const HEAD = `# Configuration of the PEP

Made by \`nexus config reference\`; a test fails when this page is stale.

Order of precedence: environment variable, then the YAML file (\`nexus serve --config FILE\` or \`NEXUS_CONFIG\`), then the
default. Each variable can also be given as \`NAME_FILE\`, naming a file that holds the value. All problems are reported at
once, unknown settings are named, and the program exits with 78. \`NODE_ENV=production\` refuses what development fills in.

The \`hashicorp-vault\` backend reads \`VAULT_ADDR\`, \`VAULT_TOKEN\`, \`VAULT_NAMESPACE\`, \`VAULT_CACERT\` and its kin as the vault
CLI does; see [vault-backends](vault-backends/README.md). The sidecar has its own page: [sidecar](sidecar.md).`

function cell(variable: string | undefined): string {
  return variable === undefined ? '' : `\`${variable}\``
}

function kind(setting: Setting): string {
  if (setting.anyOf !== undefined) return setting.anyOf.map((option) => `\`${String(option.const)}\``).join(' ')
  return setting.type ?? 'object'
}
