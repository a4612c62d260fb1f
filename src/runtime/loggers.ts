import type { ComponentLogger, Logger } from '@libp2p/interface'

const loggers = new WeakMap<ComponentLogger, Map<string, Logger>>()

/**
 * The logger of a kind of component, the same one for all of that kind: it takes
 * 4 kB, which each of a thousand listeners would have twice
 */
export function sharedLogger (logger: ComponentLogger, name: string): Logger {
  const known = loggers.get(logger) ?? new Map<string, Logger>()
  const log = known.get(name) ?? logger.forComponent(name)
  loggers.set(logger, known.set(name, log))

  return log
}
