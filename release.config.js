/**
 * Releases by semantic-release, with the rules that aegir gives its projects. Both packages
 * have one version and are published together: see CONTRIBUTING.md, "Releasing".
 */
import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'

const TRANSPORT = 'libp2p-tcp-stun'
const TOOL = 'packages/tcp-stun'

/**
 * The tool needs the transport of its own release
 */
const dependOnThisRelease = {
  async prepare (_, { cwd, nextRelease }) {
    const file = path.join(cwd, TOOL, 'package.json')
    const manifest = JSON.parse(await readFile(file, 'utf8'))
    manifest.dependencies[TRANSPORT] = `^${nextRelease.version}`
    await writeFile(file, `${JSON.stringify(manifest, null, 2)}\n`)
  }
}

/**
 * `npm ci` refuses a lock file that does not fit
 */
const updateLockFile = {
  async prepare (_, { cwd }) {
    const args = ['install', '--package-lock-only', '--ignore-scripts', '--no-audit', '--no-fund']
    await promisify(execFile)('npm', args, { cwd })
  }
}

/** @type {import('semantic-release').GlobalConfig} */
export default {
  branches: ['main'],
  plugins: [
    ['@semantic-release/commit-analyzer', {
      preset: 'conventionalcommits',
      releaseRules: [
        { breaking: true, release: 'major' },
        { revert: true, release: 'patch' },
        { type: 'feat', release: 'minor' },
        { type: 'fix', release: 'patch' },
        { type: 'perf', release: 'patch' },
        { type: 'docs', release: 'patch' },
        { type: 'deps', release: 'patch' },
        { scope: 'no-release', release: false }
      ]
    }],
    ['@semantic-release/release-notes-generator', {
      preset: 'conventionalcommits',
      presetConfig: {
        types: [
          { type: 'feat', section: 'Features' },
          { type: 'fix', section: 'Bug Fixes' },
          { type: 'perf', section: 'Performance' },
          { type: 'docs', section: 'Documentation' },
          { type: 'deps', section: 'Dependencies' }
        ]
      }
    }],
    ['@semantic-release/changelog', { changelogTitle: '# Changelog' }],
    '@semantic-release/npm',
    dependOnThisRelease,
    ['@semantic-release/npm', { pkgRoot: TOOL }],
    updateLockFile,
    '@semantic-release/github',
    ['@semantic-release/git', {
      assets: ['CHANGELOG.md', 'package.json', 'package-lock.json', `${TOOL}/package.json`]
    }]
  ]
}
