import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/**
 * Tests that run in one process
 */
export interface Group {
  name: string

  /**
   * Spec files and patterns of mocha, from the root of the repository
   */
  files: string[]

  /**
   * Only tests whose title matches, or with `invert` only those whose title does not
   */
  grep?: string
  invert?: boolean
}

const TESTS = fileURLToPath(new URL('..', import.meta.url))

/**
 * The unit tests. coturn closes a connection after a minute, which the others need not
 * wait for.
 */
const UNITS: Group[] = [
  {
    name: 'units/transport',
    files: [
      'dist/test/!(examples|fixtures|interop|nat|nat-lab|packaging|run|story)/**/!(coturn).spec.js',
      'dist/test/run/*.spec.js'
    ]
  },
  { name: 'units/tool', files: ['dist/packages/*/test/*.spec.js'] },
  { name: 'units/coturn', files: ['dist/test/stun/coturn.spec.js'] }
]

/**
 * Files that take too long for one process, by the titles that share one. The
 * rest of the file is a group of its own.
 */
const SPLIT: Record<string, Record<string, string>> = {
  'nat/holding': { renewals: 'renewals', servers: 'of two servers' },
  'nat/hole-punch': { stock: '@libp2p/dcutr', resets: 'reset', relayed: 'relay' },
  'nat/reachability': { v1: 'AutoNAT v1', v2: 'AutoNAT v2' },
  'interop/hole-punch': { go: 'go as A', rust: 'rust as A' }
}

/**
 * What takes longest starts first, so that nothing long is left for the end
 */
const LONGEST = [
  'units/transport', 'units/tool', 'nat/hole-punch', 'nat/soak', 'nat/holding', 'nat/numbers', 'nat/check', 'nat/matrix'
]

export function allGroups (): Group[] {
  const groups = [...UNITS, ...['nat', 'examples', 'packaging', 'interop'].flatMap(specs)]

  return groups.sort((a, b) => rank(a) - rank(b))
}

/**
 * The groups of these names, or whose names begin with one of them and a slash
 */
export function selectGroups (groups: Group[], names: string[]): Group[] {
  return groups.filter(({ name }) => names.some(prefix => name === prefix || name.startsWith(`${prefix}/`)))
}

/**
 * A group for each spec file of a folder, or several where it is split
 */
function specs (folder: string): Group[] {
  return readdirSync(`${TESTS}/${folder}`).filter(file => file.endsWith('.spec.js')).flatMap(file => {
    const name = `${folder}/${file.slice(0, -'.spec.js'.length)}`

    return split({ name, files: [`dist/test/${folder}/${file}`] })
  })
}

function split (group: Group): Group[] {
  const parts = Object.entries(SPLIT[group.name] ?? {})

  if (parts.length === 0) {
    return [group]
  }

  const groups = parts.map(([part, title], i): Group => {
    // each test in one group: in the first whose title it has
    const before = parts.slice(0, i).map(([, title]) => `(?!.*${title})`).join('')

    return { ...group, name: `${group.name}/${part}`, grep: `^${before}.*${title}` }
  })

  return [
    ...groups,
    { ...group, name: `${group.name}/others`, grep: parts.map(([, title]) => title).join('|'), invert: true }
  ]
}

function rank ({ name }: Group): number {
  const i = LONGEST.findIndex(prefix => name.startsWith(prefix))

  return i === -1 ? LONGEST.length : i
}
