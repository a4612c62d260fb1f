import { readFile, writeFile } from 'node:fs/promises'
import { generateKeyPair, privateKeyFromProtobuf, privateKeyToProtobuf } from '@libp2p/crypto/keys'
import type { PrivateKey } from '@libp2p/interface'

/**
 * The private key in a file. A missing file is created with a new key, so that
 * peers find the helper under the same peer id after a restart.
 *
 * @throws the system's error, or an error that names the file when it holds no key
 */
export async function keyFromFile (path: string): Promise<PrivateKey> {
  try {
    return privateKeyFromProtobuf(await readFile(path))
  } catch (err: any) {
    if (err.code !== 'ENOENT') {
      throw new Error(`Could not read a key from ${path}: ${err.message}`, { cause: err })
    }
  }

  const key = await generateKeyPair('Ed25519')
  await writeFile(path, privateKeyToProtobuf(key), { mode: 0o600, flag: 'wx' })

  return key
}
