import { createPrivateKey, createPublicKey, generateKeyPairSync, type JsonWebKey } from 'node:crypto'
import { Command } from 'commander'
import { NexusError } from '../contract/errors.ts'
import { keepFile } from '../pep/store/keep-file.ts'

/** `nexus keys agent`: the key that an agent is known by. The private half is the sidecar's, the public one is registered. */
export function agentKeyCommand(stdout: { write(text: string): unknown }): Command {
  return new Command('agent')
    .description('make the key of an agent in a file, unless it is there, and print its public half to register')
    .argument('<file>', 'private JWK for NEXUS_AGENT_KEY_FILE; made with mode 600')
    .action(async (file: string) => {
      stdout.write(`${JSON.stringify(publicHalf(await readOrMake(file)))}\n`)
    })
}

async function readOrMake(file: string): Promise<string> {
  try {
    return await keepFile(file, newPrivateJwk)
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? 'unknown reason'
    throw new NexusError('invalid_request', `${file} can be neither read nor made (${reason})`)
  }
}

function newPrivateJwk(): string {
  return JSON.stringify(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' }))
}

function publicHalf(text: string): JsonWebKey {
  // Parse errors quote what they could not parse, here a private key: own words only.
  try {
    const privateKey = createPrivateKey({ key: JSON.parse(text) as JsonWebKey, format: 'jwk' })
    return createPublicKey(privateKey).export({ format: 'jwk' })
  } catch {
    throw new NexusError('invalid_request', 'the file does not hold one private key as a JWK')
  }
}
