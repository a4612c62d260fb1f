import { Help } from 'commander'
import type { Command } from 'commander'

/**
 * With fewer columns than that beside the flags, each text stands below its flag
 */
const MIN_COLUMN = 30

/**
 * Where a text below its flag begins
 */
const INDENT = 6

/**
 * Words are longer than that
 */
const MIN_WIDTH = 20

/**
 * Without a terminal, as Commander has it
 */
const DEFAULT_WIDTH = 80

/**
 * Help that fits into the terminal.
 *
 * @param command - the command
 * @param notes - what stands below the flags. Paragraphs are wrapped anew; commands stay as
 * they are, so that they can be copied
 */
export function fitHelp (command: Command, notes = ''): Command {
  return addNotes(command.configureHelp({ minWidthToWrap: MIN_WIDTH, formatItem }), notes)
}

/**
 * A text below the flags, as wide as the terminal
 */
export function addNotes (command: Command, notes: string): Command {
  return command.addHelpText('after', ({ command }) =>
    wrapNotes(notes, command.configureOutput().getOutHelpWidth?.() ?? DEFAULT_WIDTH))
}

/**
 * A flag and its text, side by side or one below the other
 */
function formatItem (term: string, termWidth: number, description: string, helper: Help): string {
  if (description === '') {
    return `  ${term}`
  }

  const width = helper.helpWidth ?? DEFAULT_WIDTH
  const column = termWidth + 4
  const isBelow = width - column < MIN_COLUMN
  const indent = isBelow ? INDENT : column
  const text = wrap(description, width, indent)

  return isBelow ? `  ${term}\n${' '.repeat(indent)}${text}` : `  ${term.padEnd(termWidth)}  ${text}`
}

function wrapNotes (notes: string, width: number): string {
  const paragraphs = notes.replace(/(?<=\S)\n(?=\S)/g, ' ')

  return paragraphs.split('\n').map(line => {
    // a list: an exit code, and what it means
    const [start] = /^ *(?:\d+ +)?/.exec(line) ?? ['']

    return /^ +tcp-stun /.test(line) ? line : `${start}${wrap(line.slice(start.length), width, start.length)}`
  }).join('\n')
}

/**
 * All lines but the first are indented
 */
function wrap (text: string, width: number, indent: number): string {
  const help = new Help()
  // below that it wraps nothing
  help.minWidthToWrap = MIN_WIDTH

  return help.boxWrap(text, Math.max(MIN_WIDTH, width - indent)).replaceAll('\n', `\n${' '.repeat(indent)}`)
}
