import { isIP } from 'node:net'
import path from 'node:path'

/**
 * Where the system keeps names that it does not ask the DNS for
 */
const HOSTS_FILE = process.platform === 'win32'
  ? path.join(process.env.SystemRoot ?? 'C:\\Windows', 'System32', 'drivers', 'etc', 'hosts')
  : '/etc/hosts'

/**
 * A hosts file, read again when it has changed
 */
export class HostsFile {
  private readonly file: string
  private version = ''
  private text = ''

  constructor (file = HOSTS_FILE) {
    this.file = file
  }

  /**
   * The addresses of a name, none when the file does not have it
   */
  async lookup (name: string, family: 4 | 6): Promise<string[]> {
    try {
      // on demand: it is large
      const { readFile, stat } = await import('node:fs/promises')
      const { mtimeMs, size } = await stat(this.file)
      const version = `${mtimeMs} ${size}`

      if (version !== this.version) {
        this.text = (await readFile(this.file, 'utf8')).toLowerCase()
        this.version = version
      }
    } catch {
      // there may be none
      return []
    }

    return addressesIn(this.text, name, family)
  }
}

/**
 * @param text - of a hosts file, in lower case
 * @param name - in lower case, without a dot at its end
 */
export function addressesIn (text: string, name: string, family: 4 | 6): string[] {
  // files that block advertisements have 100 000 lines
  if (!text.includes(name)) {
    return []
  }

  return text.split('\n').flatMap(line => {
    const [address, ...names] = line.replace(/#.*/, '').trim().split(/\s+/)

    return names.includes(name) && isIP(address) === family ? [address] : []
  })
}
