import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, symlink } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { expect } from 'aegir/chai'
import semanticRelease from 'semantic-release'
import type { PluginSpec } from 'semantic-release'

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))
const run = promisify(execFile)

/**
 * Names no account, and no configuration of this machine counts
 */
const ENV = {
  ...process.env,
  // or `npm version` in a workspace installs everything
  NPM_CONFIG_WORKSPACES_UPDATE: 'false',
  GIT_AUTHOR_NAME: 'test',
  GIT_AUTHOR_EMAIL: 'test@example.org',
  GIT_COMMITTER_NAME: 'test',
  GIT_COMMITTER_EMAIL: 'test@example.org',
  GIT_CONFIG_GLOBAL: '/dev/null'
}

describe('a release', function () {
  this.timeout(180_000)

  let folder: string

  before(async () => { folder = await mkdtemp(path.join(os.tmpdir(), 'release-')) })
  after(async () => { await rm(folder, { recursive: true, force: true }) })

  async function git (cwd: string, ...args: string[]): Promise<string> {
    return (await run('git', args, { cwd, env: ENV })).stdout.trim()
  }

  /**
   * What there is was released as 1.2.3, and a feature came after that
   */
  async function createRepository (): Promise<{ origin: string, work: string }> {
    const [origin, work] = [path.join(folder, 'origin.git'), path.join(folder, 'work')]
    await Promise.all([git(folder, 'init', '-q', '--bare', '-b', 'main', origin), mkdir(work)])
    await run('sh', ['-c', `git archive HEAD | tar -x -C '${work}'`], { cwd: ROOT })
    await symlink(`${ROOT}node_modules`, path.join(work, 'node_modules'))
    await git(work, 'init', '-q', '-b', 'main')
    await git(work, 'add', '-A')
    await git(work, 'commit', '-q', '-m', 'chore: all that there is')
    await git(work, 'tag', 'v1.2.3')
    await git(work, 'commit', '-q', '--allow-empty', '-m', 'feat: something new')
    await git(work, 'remote', 'add', 'origin', origin)
    await git(work, 'push', '-q', '--tags', 'origin', 'main')

    return { origin, work }
  }

  it('gives both packages one version, a change log and a tag, and a lock file that fits', async () => {
    const { origin, work } = await createRepository()
    const { default: config } = await import(pathToFileURL(`${ROOT}release.config.js`).href)
    const result = await semanticRelease({
      ...config,
      plugins: config.plugins.filter((plugin: PluginSpec) => plugin !== '@semantic-release/github').map(withoutNPM),
      repositoryUrl: pathToFileURL(origin).href,
      ci: false
    }, { cwd: work, env: ENV, stdout: process.stderr, stderr: process.stderr })
    const version = '1.3.0'

    expect(result).to.have.nested.property('nextRelease.version', version)
    expect(await git(origin, 'tag')).to.include(`v${version}`)

    const released = async (file: string): Promise<any> => JSON.parse(await git(origin, 'show', `main:${file}`))
    const { packages } = await released('package-lock.json')
    expect(await released('package.json')).to.include({ version })
    expect(await released('packages/tcp-stun/package.json')).to.have.property('version', version)
    expect((await released('packages/tcp-stun/package.json')).dependencies)
      .to.include({ 'libp2p-tcp-stun': `^${version}` })
    expect(packages['packages/tcp-stun'].dependencies).to.include({ 'libp2p-tcp-stun': `^${version}` })
    expect(packages['']).to.include({ version })
    expect(await git(origin, 'show', 'main:CHANGELOG.md'))
      .to.match(/^# Changelog\n\n## .*1\.3\.0[^]*something new/)
  })
})

/**
 * Nothing is published
 */
function withoutNPM (plugin: PluginSpec): PluginSpec {
  const [name, options = {}] = Array.isArray(plugin) ? plugin : [plugin]

  return name === '@semantic-release/npm' ? [name, { ...options as object, npmPublish: false }] : plugin
}
