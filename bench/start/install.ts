import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { packageVersion } from '../lib/machine.ts'

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))

export interface Installed {
  /**
   * The folder that it was installed in
   */
  folder: string
  packages: number

  /**
   * What all files have, in bytes: what a folder costs depends on the file system
   */
  size: number
}

/**
 * Both transports as `npm install` puts them into an empty folder, ours from the packed
 * tarball. Needs the npm registry.
 */
export class Installation {
  readonly ours: Installed
  readonly theirs: Installed
  private readonly folder = mkdtempSync(path.join(os.tmpdir(), 'libp2p-tcp-stun-'))

  constructor () {
    npm(ROOT, 'pack', '--silent', '--pack-destination', this.folder)
    const tarball = readdirSync(this.folder).find(name => name.endsWith('.tgz')) ?? ''
    this.ours = this.install('ours', path.join(this.folder, tarball))
    this.theirs = this.install('theirs', `@libp2p/tcp@${packageVersion('@libp2p/tcp')}`)
  }

  remove (): void {
    rmSync(this.folder, { recursive: true })
  }

  private install (name: string, what: string): Installed {
    const folder = path.join(this.folder, name)
    mkdirSync(folder)
    writeFileSync(path.join(folder, 'package.json'), '{ "private": true, "type": "module" }')
    npm(folder, 'install', '--omit=dev', '--no-audit', '--no-fund', '--loglevel=error', '--prefer-offline', what)
    const files = readdirSync(path.join(folder, 'node_modules'), { recursive: true, withFileTypes: true })
      .filter(entry => entry.isFile())
      .map(entry => path.join(entry.parentPath, entry.name))

    return {
      folder,
      packages: files.filter(file => /node_modules\/(@[^/]+\/)?[^/@]+\/package\.json$/.test(file)).length,
      size: files.reduce((sum, file) => sum + statSync(file).size, 0)
    }
  }
}

function npm (cwd: string, ...args: string[]): void {
  execFileSync('npm', args, { cwd, stdio: ['ignore', 'ignore', 'inherit'] })
}
