import { randomBytes } from 'node:crypto'
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { generateKeyPair, privateKeyFromProtobuf, privateKeyToProtobuf } from '@libp2p/crypto/keys'
import { generateKey } from '@libp2p/pnet'
import { parseCredential } from '../config/stun-credential.ts'
import type { PrivateKey } from '@libp2p/interface'
import type { STUNCredential } from 'libp2p-tcp-stun/stun'

/**
 * The length of a key file for `@libp2p/pnet`
 */
const NETWORK_KEY_LENGTH = 95
const NETWORK_KEY = /^\/key\/swarm\/psk\/1\.0\.0\/\n\/base16\/\n[\da-f]{64}\s*$/

/**
 * A secret in a file that only its owner can read. A missing file is created.
 *
 * @throws the system's error, or an error that says what to do about the file's mode
 */
export async function readSecret (file: string, create: () => Uint8Array | Promise<Uint8Array>): Promise<Uint8Array> {
  try {
    await assertPrivate(file)
    return await readFile(file)
  } catch (err: any) {
    if (err.code !== 'ENOENT') {
      throw err
    }
  }

  const secret = await create()
  await mkdir(path.dirname(file), { recursive: true, mode: 0o700 })
  await writeFile(file, secret, { mode: 0o600, flag: 'wx' })

  return secret
}

/**
 * The private key in a file. A missing file is created with a new key, so that
 * peers find the helper under the same peer id after a restart.
 *
 * @throws the system's error, or an error that names the file when others can read it or
 * it holds no key
 */
export async function keyFromFile (file: string): Promise<PrivateKey> {
  const bytes = await readSecret(file, async () => privateKeyToProtobuf(await generateKeyPair('Ed25519')))

  try {
    return privateKeyFromProtobuf(bytes)
  } catch (err: any) {
    throw new Error(`Could not read a key from ${file}: ${err.message}`, { cause: err })
  }
}

/**
 * The key of a private network in a file, as go-ipfs and libp2p write it
 *
 * @throws as `keyFromFile`
 */
export async function networkKeyFromFile (file: string): Promise<Uint8Array> {
  const bytes = await readSecret(file, () => {
    const key = new Uint8Array(NETWORK_KEY_LENGTH)
    generateKey(key)

    return key
  })

  if (!NETWORK_KEY.test(Buffer.from(bytes).toString())) {
    throw new Error(`${file} is not the key of a private network, which begins with /key/swarm/psk/1.0.0/`)
  }

  return bytes
}

/**
 * The credential of a private STUN server in a file
 *
 * @throws as `keyFromFile`
 */
export async function credentialFromFile (file: string): Promise<STUNCredential> {
  const bytes = await readSecret(file, () => Buffer.from(`member:${randomBytes(16).toString('hex')}\n`))

  try {
    return parseCredential(Buffer.from(bytes).toString())
  } catch (err: any) {
    throw new Error(`${file} holds no credential: ${err.message}`, { cause: err })
  }
}

/**
 * @throws an error with the command that mends it when other users can read the file
 */
async function assertPrivate (file: string): Promise<void> {
  const { mode } = await stat(file)

  // Windows has no modes
  if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
    const octal = (mode & 0o777).toString(8)
    throw new Error(`Others can read or change ${file} (mode ${octal}). Run: chmod 600 ${file}`)
  }
}
