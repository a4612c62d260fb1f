import { existsSync, readFileSync, writeFileSync } from 'node:fs'

/**
 * One input a line, in hexadecimal. It stays with the sources.
 */
const FILE = new URL('../../fuzz/corpus.txt', import.meta.url)

export function loadCorpus (): Uint8Array[] {
  if (!existsSync(FILE)) {
    return []
  }

  return readFileSync(FILE, 'utf8').split('\n').filter(line => line !== '').map(line => Buffer.from(line, 'hex'))
}

export function saveCorpus (corpus: Uint8Array[]): void {
  writeFileSync(FILE, corpus.map(bytes => `${Buffer.from(bytes).toString('hex')}\n`).join(''))
}
