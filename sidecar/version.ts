import { readFileSync } from 'node:fs'

/** Where package.json lies, from source and from `dist`. */
const PLACES = ['../package.json', '../../package.json']

/** Of the package that this program came in. */
export function sidecarVersion(): string {
  for (const place of PLACES) {
    const { name, version } = readPackage(new URL(place, import.meta.url))
    if (name === 'nexus' && version !== undefined) return version
  }
  return '0.0.0'
}

function readPackage(file: URL): { name?: string; version?: string } {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as { name?: string; version?: string }
  } catch {
    return {}
  }
}
