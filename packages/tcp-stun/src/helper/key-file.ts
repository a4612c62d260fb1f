import { readFile, writeFile } from 'node:fs/promises'
import { loadKeyPackage } from './packages.ts'
import type { PrivateKey } from '@libp2p/interface'

/**
 * The key in a file, which is made when it is not there: peers know a helper by
 * its id, and it should have the same one tomorrow
 *
 * @throws the system's error, or what is wrong with the key in it
 */
export async function keyFromFile (path: string): Promise<PrivateKey> {
  const { generateKeyPair, privateKeyFromProtobuf, privateKeyToProtobuf } = await loadKeyPackage()

  try {
    return privateKeyFromProtobuf(await readFile(path))
  } catch (err: any) {
    if (err.code !== 'ENOENT') {
      throw new Error(`No key can be read from ${path}: ${err.message}`, { cause: err })
    }
  }

  const key = await generateKeyPair('Ed25519')
  await writeFile(path, privateKeyToProtobuf(key), { mode: 0o600, flag: 'wx' })

  return key
}
