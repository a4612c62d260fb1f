import { InvalidParametersError } from '@libp2p/interface'

/**
 * Timers of Node fire at once when their delay does not fit 31 bits
 */
export const MAX_DELAY = 0x7fffffff

/**
 * What a value has to be
 */
export interface Rule {
  /**
   * Completes "... must be"
   */
  must: string
  isValid(value: unknown): boolean
}

/**
 * @param max - in ms
 */
export function milliseconds (max = MAX_DELAY): Rule {
  return {
    must: `a number of milliseconds from 0 to ${max}`,
    isValid: value => typeof value === 'number' && value >= 0 && value <= max
  }
}

/**
 * @param max - in ms
 */
export function duration (max = MAX_DELAY): Rule {
  return {
    must: `a number of milliseconds above 0, at most ${max}`,
    isValid: value => typeof value === 'number' && value > 0 && value <= max
  }
}

export function wholeNumber (min: number): Rule {
  return {
    must: `a whole number of at least ${min}`,
    isValid: value => Number.isInteger(value) && Number(value) >= min
  }
}

export const BOOLEAN: Rule = { must: 'true or false', isValid: value => typeof value === 'boolean' }
export const FUNCTION: Rule = { must: 'a function', isValid: value => typeof value === 'function' }
export const OBJECT: Rule = { must: 'an object', isValid: value => typeof value === 'object' }

export function oneOf<T> (...values: T[]): Rule {
  return { must: `one of ${values.join(', ')}`, isValid: value => values.includes(value as T) }
}

/**
 * A rule for each option of an interface, so that none is missing. `undefined` allows
 * everything: another check follows.
 */
export type Rules<T> = Record<keyof T, Rule | undefined>

/**
 * Check the options that a user has given. What is null or undefined is not given.
 *
 * @param owner - whose options they are, for the message
 * @param init
 * @param rules
 * @throws {InvalidParametersError} it is no object, an option is unknown, or it is not what
 * it must be; the message names it, and what is allowed
 */
export function checkOptions<T extends object> (owner: string, init: T, rules: Rules<T>): void {
  if (init == null || typeof init !== 'object' || Array.isArray(init)) {
    throw new InvalidParametersError(`The options of ${owner} must be an object, not ${show(init)}`)
  }

  for (const name of Object.keys(init)) {
    if (!Object.hasOwn(rules, name)) {
      throw new InvalidParametersError(
        `There is no option ${name}, ${owner} has ${Object.keys(rules).toSorted().join(', ')}`
      )
    }
  }

  checkValues(init, rules)
}

/**
 * Check those options that have a rule
 *
 * @param init
 * @param rules
 * @throws {InvalidParametersError} an option is not what it must be
 */
export function checkValues<T extends object> (init: T, rules: Rules<T>): void {
  for (const [name, rule] of Object.entries<Rule | undefined>(rules)) {
    const value = init[name as keyof T]

    if (value != null && rule?.isValid(value) === false) {
      throw new InvalidParametersError(`${name} must be ${rule.must}, not ${show(value)}`)
    }
  }
}

/**
 * A string is shown in quotation marks, so that '5' does not look like a number, and a list
 * in brackets
 */
export function show (value: unknown): string {
  return typeof value === 'string' || Array.isArray(value) ? JSON.stringify(value) : String(value)
}
