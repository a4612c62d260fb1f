import { expect } from 'aegir/chai'
import { checkCommand } from '../src/cli/check.ts'
import { helperCommand } from '../src/cli/helper.ts'
import { serverCommand } from '../src/cli/server.ts'
import type { Command } from 'commander'

const COMMANDS = { check: checkCommand, helper: helperCommand, server: serverCommand }

function helpOf (command: Command, columns: number): string {
  let help = ''
  command.configureOutput({ writeOut: text => { help += text }, getOutHelpWidth: () => columns })
  command.outputHelp()

  return help
}

describe('the help of each command', () => {
  for (const [name, create] of Object.entries(COMMANDS)) {
    for (const columns of [40, 57, 80, 120]) {
      it(`fits into ${columns} columns: ${name}`, () => {
        const lines = helpOf(create(), columns).split('\n')
        const long = lines.filter(line => line.length > columns)

        expect(lines).to.have.length.greaterThan(30)
        // a command that can be copied is not wrapped, nor is a long flag
        expect(long.filter(line => !/^ +tcp-stun |^ +--[\w-]+ \S+$/.test(line))).to.deep.equal([])
      })
    }

    it(`says the same at any width: ${name}`, () => {
      const words = (columns: number): string[] => helpOf(create(), columns).split(/\s+/)

      expect(words(57)).to.deep.equal(words(80))
      expect(words(120)).to.deep.equal(words(80))
    })

    it(`names settings that it has: ${name}`, () => {
      const command = create()
      const help = helpOf(command, 1_000)
      const options = command.options.map(option => option.attributeName())
      const variables = options.map(option => `TCP_STUN_${option.replace(/[A-Z]/g, '_$&').toUpperCase()}`)
      const members = [...help.matchAll(/"(\w+)":/g)].map(([, member]) => member)

      expect((help.match(/TCP_STUN_\w+/g) ?? []).filter(variable => !variables.includes(variable))).to.deep.equal([])
      expect(members.filter(member => !options.includes(member))).to.deep.equal([])
    })
  }
})
