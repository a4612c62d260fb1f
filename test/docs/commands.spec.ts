import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { expect } from 'aegir/chai'
import { checkCommand } from '../../packages/tcp-stun/src/cli/check.ts'
import { helperCommand } from '../../packages/tcp-stun/src/cli/helper.ts'
import { serverCommand } from '../../packages/tcp-stun/src/cli/server.ts'
import { codeBlocks, trackedFiles } from '../fixtures/code-blocks.ts'

const PAGES = trackedFiles('*.md', ':!.github')
const TOOL = { check: checkCommand, helper: helperCommand, server: serverCommand }
const PEER = '12D3KooWQgZPPKBL3kZg6d44ougupt6QytBKG17MG4Dm7YbyJP9b'

/**
 * Languages whose blocks are run (test/examples/pages.spec.ts), or whose commands are
 * checked here. Blocks without a language are screens (check-page.spec.ts).
 */
const TESTED = ['ts', 'js', 'console', 'ini', 'dockerfile', '']

/**
 * Blocks that nothing runs, and why
 */
const NOT_RUN: Record<string, string> = {
  'docs/architecture.md: Layers': 'a diagram',
  'docs/architecture.md: When a node listens': 'a diagram',
  'docs/architecture.md: When a node listens (2)': 'a diagram',
  'docs/architecture.md: When a node dials': 'a diagram',
  'docs/hole-punching.md: The packets': 'a diagram',
  'docs/hard-punch.md: Protocol': 'messages, not a program',
  'docs/hard-punch.md: Attestation': 'messages, not a program',
  'docs/migrating.md: Migrating from `@libp2p/tcp`': 'a part of a program'
}

describe('the blocks of code in the pages', () => {
  it('are tested, or are named here', () => {
    const others = PAGES.flatMap(codeBlocks).filter(({ language }) => !TESTED.includes(language))

    expect(others.map(({ name }) => name)).to.have.members(Object.keys(NOT_RUN))
  })
})

describe('the commands in the pages', () => {
  it('are found', () => {
    expect(PAGES.flatMap(commandsOf)).to.have.length.greaterThan(100)
  })

  for (const page of PAGES.filter(page => commandsOf(page).length > 0)) {
    it(`exist, with their flags: ${page}`, () => {
      const wrong = commandsOf(page).flatMap(command => {
        const fault = faultOf(wordsOf(command), page)

        return fault == null ? [] : [`${command}: ${fault}`]
      })

      expect(wrong).to.deep.equal([])
    })
  }
})

/**
 * What a user would type: blocks of commands, code in the text that begins with one, and
 * the commands in files of other programs
 */
function commandsOf (page: string): string[] {
  const blocks = codeBlocks(page).flatMap(({ language, code }) => {
    switch (language) {
      case 'console':
        return typed(code)
      case 'ini':
        return [...code.replaceAll('\\\n', '').matchAll(/^ExecStart=\/usr\/bin\/(.*)$/gm)].map(([, command]) => command)
      case 'dockerfile':
        return [...code.matchAll(/^ENTRYPOINT (.*)$/gm)].map(([, words]) => JSON.parse(words).join(' '))
      case '':
        return [...code.matchAll(/^ +(?:Confirm: )?(tcp-stun .*)$/gm)].map(([, command]) => command)
      default:
        return []
    }
  })
  const prose = readFileSync(page, 'utf8').replace(/```[^]*?```/g, '')
  const inline = [...prose.matchAll(/`((?:npx|npm|node|tcp-stun) [^`]*)`/g)].map(([, command]) => command)

  return [...blocks, ...inline]
    .flatMap(line => line.split(' && '))
    .map(command => command.replace(/\s+#.*| \\?\|.*/, '').replace(/\s+/g, ' '))
}

/**
 * The lines behind a `$`, or all lines where none has one
 */
function typed (code: string): string[] {
  const lines = code.replaceAll('\\\n', '').split('\n').filter(line => line !== '')
  const marked = lines.filter(line => line.startsWith('$ '))

  return marked.length === 0 ? lines : marked.map(line => line.slice(2))
}

function wordsOf (command: string): string[] {
  return [...command.matchAll(/'([^']*)'|(\S+)/g)]
    .map(([, quoted, plain]) => quoted ?? plain)
    // an id that stands for any
    .map(word => word.replace(/12D3Koo\w*\.\.\./g, PEER))
}

/**
 * Why a command could not be run, if so
 */
function faultOf ([program, ...args]: string[], page: string): string | undefined {
  switch (program) {
    case 'tcp-stun':
      return faultOfTool(args)
    case 'npx':
      return args[0] === 'tcp-stun' ? faultOfTool(args.slice(1)) : faultOfPackages(page, args.slice(0, 1))
    case 'npm':
      return faultOfNpm(args, page)
    case 'node':
      return faultOfNode(args, page)
    case 'bash':
      return existsSync(args[0]) ? undefined : 'no such file'
    default:
      // a variable of the environment
      return /^[A-Z_]+=/.test(program) ? faultOf(args, page) : 'an unknown program'
  }
}

function faultOfTool ([name, ...args]: string[]): string | undefined {
  if (name === '<command>') {
    return
  }

  const command = TOOL[name as keyof typeof TOOL]?.()

  if (command == null) {
    return 'no such command'
  }

  try {
    command.exitOverride().configureOutput({ writeErr: () => {} })
    const { operands, unknown } = command.parseOptions(args)
    const wrong = [...operands, ...unknown].filter(word => word !== '--help')

    return wrong.length === 0 ? undefined : `it does not know ${wrong.join(' ')}`
  } catch (err: any) {
    return err.message
  }
}

function faultOfNpm ([command, ...args]: string[], page: string): string | undefined {
  switch (command) {
    case 'i':
    case 'install':
      return faultOfPackages(page, args.filter(name => !name.startsWith('-')))
    case 'test':
    case 'run': {
      const name = command === 'test' ? 'test' : args.find(word => !word.startsWith('-'))

      return manifestOf(page).scripts[name ?? ''] == null ? 'no such script' : undefined
    }
    default:
      return 'an unknown command of npm'
  }
}

/**
 * Those that are tested: of the tree or its dependencies
 */
function faultOfPackages (page: string, names: string[]): string | undefined {
  const manifests = ['package.json', 'packages/tcp-stun/package.json'].map(readJSON)
  const known = manifests.flatMap(({ name, dependencies, devDependencies }) =>
    [name, ...Object.keys(dependencies), ...Object.keys(devDependencies ?? {})])
  const unknown = names.filter(name => !known.includes(name))

  return unknown.length === 0 ? undefined : `the packages ${unknown.join(', ')} are not tested`
}

/**
 * A program of an example with flags that it reads, one of the tree, or one that the page
 * says to write
 */
function faultOfNode (args: string[], page: string): string | undefined {
  const file = args.find(word => !word.startsWith('-'))

  if (file == null) {
    return
  }

  if (file.startsWith('dist/')) {
    return existsSync(file.replace('dist/', '').replace(/js$/, 'ts')) ? undefined : 'no such file'
  }

  const source = path.join(path.dirname(page), file)

  if (!existsSync(source)) {
    return readFileSync(page, 'utf8').includes(`\`${file}\``) ? undefined : 'no such file'
  }

  const text = readFileSync(source, 'utf8')
  const flags = args.filter(word => word.startsWith('--')).map(flag => flag.slice(2))
  const unknown = flags.filter(flag => !new RegExp(`\\b${flag}'?: \\{`).test(text))

  return unknown.length === 0 ? undefined : `it does not read ${unknown.join(', ')}`
}

/**
 * That of the folder, or of the repository
 */
function manifestOf (page: string): any {
  const own = path.join(path.dirname(page), 'package.json')

  return readJSON(existsSync(own) ? own : 'package.json')
}

function readJSON (file: string): any {
  return JSON.parse(readFileSync(file, 'utf8'))
}
