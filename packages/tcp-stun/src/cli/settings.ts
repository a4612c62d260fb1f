import { readFileSync } from 'node:fs'
import { InvalidArgumentError } from 'commander'
import { addNotes } from './help.ts'
import { isList } from './options.ts'
import type { Command, Option } from 'commander'

/**
 * Flags can also come from the environment (`--max-peers` as TCP_STUN_MAX_PEERS) and from
 * a JSON file (`{ "maxPeers": 1000 }`). The command line counts most, then the
 * environment, then the file.
 */
export function addSettings (command: Command): void {
  command
    .option('--config <file>', 'JSON object of flags like { "logLevel": "debug", "metrics": true }')
    .hook('preAction', (_, action) => { readSettings(action, process.env) })

  addNotes(
    command,
    '\nEach flag can also be an environment variable, such as TCP_STUN_LOG_LEVEL=debug. The items of a list are ' +
      'separated by commas.'
  )
}

/**
 * Add what the command line does not say. An invalid value ends the program.
 */
export function readSettings (command: Command, env: NodeJS.ProcessEnv): void {
  const options = command.options.filter(option => option.attributeName() !== 'config')
  const variable = env[variableOf('config')]
  const file: string | undefined = command.getOptionValue('config') ?? variable
  const settings = file == null ? {} : readConfig(command, file, options)

  for (const option of options) {
    const name = option.attributeName()
    const fromEnv = env[variableOf(name)]

    if (command.getOptionValueSource(name) === 'cli') {
      continue
    }

    if (fromEnv != null) {
      set(command, option, isList(option.parseArg) ? fromEnv.split(',') : [fromEnv], variableOf(name))
    } else if (settings[name] != null) {
      set(command, option, [settings[name]].flat(), `${file}: ${name}`)
    }
  }
}

function variableOf (name: string): string {
  return `TCP_STUN_${name.replace(/[A-Z]/g, letter => `_${letter}`).toUpperCase()}`
}

function readConfig (command: Command, file: string, options: Option[]): Record<string, unknown> {
  let settings: unknown

  try {
    settings = JSON.parse(readFileSync(file, 'utf8'))
  } catch (err: any) {
    return command.error(`error: could not read ${file}: ${err.message}`)
  }

  if (settings == null || typeof settings !== 'object' || Array.isArray(settings)) {
    return command.error(`error: ${file} must be a JSON object of flags like { "logLevel": "debug" }`)
  }

  const names = options.map(option => option.attributeName())
  const unknown = Object.keys(settings).find(name => !names.includes(name))

  if (unknown != null) {
    return command.error(`error: ${file} has ${JSON.stringify(unknown)}, which is none of ${names.join(', ')}`)
  }

  return { ...settings }
}

/**
 * The values of a flag, parsed as on the command line
 */
function set (command: Command, option: Option, values: unknown[], source: string): void {
  const name = option.attributeName()
  const texts = values.map(value => String(value).trim())
  const isSwitch = !option.required && /^(?:true|false|1|0)$/.test(texts[0])

  if (isSwitch) {
    command.setOptionValueWithSource(name, texts[0] === 'true' || texts[0] === '1' ? true : undefined, 'config')
    return
  }

  try {
    if (!option.required && !option.optional) {
      throw new InvalidArgumentError('It must be true or false.')
    }

    const parse = option.parseArg ?? ((text: string): unknown => text)
    const value = texts.reduce<unknown>((previous, text) => parse(text, previous as any), undefined)
    command.setOptionValueWithSource(name, value, 'config')
  } catch (err: any) {
    command.error(`error: ${source} has the invalid value ${JSON.stringify(texts.join(','))}. ${err.message}`)
  }
}
