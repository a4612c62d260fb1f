import { readFileSync, readdirSync } from 'node:fs'

/**
 * CPU time that a process and its children have used so far, in s, by the scheduler's
 * clock: ticks are far off for a process that sleeps and wakes up with each request
 */
export function cpuTime (pid: number): number {
  return sum(pid, pid => readdirSync(`/proc/${pid}/task`).reduce(
    (sum, task) => sum + Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]),
    0
  )) / 1e9
}

/**
 * Memory that a process and its children have now, in bytes: resident, without shared
 * pages
 */
export function ownMemory (pid: number): number {
  return sum(pid, pid => memory(pid, 'RssAnon'))
}

/**
 * The same with shared pages: what the system shows
 */
export function residentMemory (pid: number): number {
  return sum(pid, pid => memory(pid, 'VmRSS'))
}

function sum (pid: number, read: (pid: number) => number): number {
  return family(pid).reduce((total, pid) => total + read(pid), 0)
}

/**
 * A process and its children
 */
function family (pid: number): number[] {
  const children = readdirSync(`/proc/${pid}/task`).flatMap(task =>
    readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8')
      .split(' ')
      .filter(text => text.trim() !== '')
      .map(Number)
  )

  return [pid, ...children.flatMap(family)]
}

function memory (pid: number, line: 'RssAnon' | 'VmRSS'): number {
  const [, kilobytes] =
    new RegExp(`^${line}:\\s+(\\d+) kB$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []

  return Number(kilobytes) * 1024
}
