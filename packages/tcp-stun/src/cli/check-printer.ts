import { styleText } from 'node:util'
import { Help } from 'commander'
import { STUNResolveError } from 'libp2p-tcp-stun/stun'
import yoctoSpinner from 'yocto-spinner'
import { addressLine, failureLine, findingLines, heldLine, serverLine, unresolvedLine } from './check-text.ts'
import { nodeLines, nodeVerdict, nodeVerdictText } from './node-text.ts'
import { reportText } from './report-text.ts'
import type { CheckFlags } from './again.ts'
import type { Line } from './check-text.ts'
import type { NodeReport } from '../check/ask-node.ts'
import type { CheckReport } from '../check/check.ts'
import type { FailedQuery } from '../check/findings.ts'
import type { Progress } from '../check/progress.ts'

/**
 * What is written to: standard output, or a part of it
 */
export interface Screen {
  write(text: string): unknown

  /**
   * @default 80
   */
  columns?: number
  isTTY?: boolean

  /**
   * Whether it shows colours; respects NO_COLOR
   */
  hasColors?(): boolean
}

/**
 * Wide enough for every label
 */
const LABEL_WIDTH = 14

/**
 * A narrower terminal gets each text below its label
 */
const TWO_COLUMNS = 48

/**
 * Words are longer than that
 */
const MIN_WIDTH = 20

/**
 * Longer lines are hard to read
 */
const MAX_WIDTH = 100

const STEPS = {
  others: 'asking the servers at other addresses',
  hairpin: 'dialling our own public address',
  'dial-back': 'asking a peer outside to dial in'
}

/**
 * Prints what is going on, for people. IP versions are checked at the same time
 * and printed one after the other. On a terminal the last line says what the
 * check is waiting for.
 */
export class CheckPrinter {
  private readonly flags: CheckFlags
  private readonly screen: Screen
  private readonly spinner?: ReturnType<typeof yoctoSpinner>
  private readonly waiting: Progress[] = []

  /**
   * Printed in one line: when the DNS fails, it fails for every server
   */
  private readonly unresolved: FailedQuery[] = []

  /**
   * The names that are printed already: the other IP version has the same
   */
  private readonly known = new Set<string>()
  private version?: 4 | 6
  private countdown?: NodeJS.Timeout

  constructor (flags: CheckFlags, screen: Screen = process.stdout) {
    this.flags = flags
    this.screen = screen

    if (screen === process.stdout && process.stdout.isTTY) {
      this.spinner = yoctoSpinner({ stream: process.stdout, handleSignals: false })
    }
  }

  onProgress (progress: Progress): void {
    this.version ??= progress.version

    // once the connections are held, every version has been printed
    if (progress.version !== this.version && progress.event !== 'hold' && progress.event !== 'ended') {
      this.waiting.push(progress)
      return
    }

    this.print(progress)

    if (progress.event === 'findings') {
      this.version = this.waiting[0]?.version
      this.waiting.splice(0).forEach(progress => { this.onProgress(progress) })
    }
  }

  onReport (report: CheckReport): void {
    this.stop()
    // the ended ones are printed already
    const kept = report.families.flatMap(({ findings }) => findings.held ?? []).filter(({ ended }) => ended == null)
    kept.forEach(held => { this.line(heldLine(held)) })
    this.write('')
    reportText(report, this.flags).forEach(({ text, tone, indent = 0, bullet = '', isCommand = false }) => {
      // a command can be copied as it is
      const lines = isCommand ? text : this.wrap(text, indent, tone)
      this.write(`${bullet.padEnd(text === '' ? 0 : indent)}${lines}`)
    })
  }

  onNode (report: NodeReport): void {
    this.stop()
    this.write(`\n${this.paint('title', 'The running node')}`)
    nodeLines(report).forEach(line => { this.line(line) })
    const { title, explanation } = nodeVerdictText(report)
    this.write(`\n${this.wrap(title, 0, nodeVerdict(report) === 'anyone' ? 'success' : 'notable')}`)
    this.write(this.wrap(explanation, 0))
  }

  onInterrupt (): void {
    this.stop()
    this.write('\nInterrupted')
  }

  /**
   * Leave the terminal as it was before
   */
  stop (): void {
    clearInterval(this.countdown)
    this.spinner?.stop()
  }

  private print (progress: Progress): void {
    switch (progress.event) {
      case 'start': {
        const { version, port, servers, addresses } = progress
        this.write(`\n${this.paint('title', `IPv${version}`)}${port == null ? '' : `, from local port ${port}`}`)
        this.line(addressLine(addresses))

        if (port != null) {
          this.wait(`asking ${servers.length} STUN server${servers.length === 1 ? '' : 's'}`)
        }

        break
      }
      case 'answer':
        this.line(serverLine(progress.view))
        break
      case 'failure': {
        if (progress.failure.error instanceof STUNResolveError) {
          this.unresolved.push(progress.failure)
        } else {
          this.line(failureLine(progress.failure))
        }

        break
      }
      case 'step':
        this.wait(STEPS[progress.step])
        break
      case 'findings':
        this.spinner?.stop()
        this.printUnresolved()
        findingLines(progress.findings).forEach(line => { this.line(line) })
        break
      case 'hold':
        this.hold(progress.seconds)
        break
      default:
        this.line(heldLine(progress.held))
        break
    }
  }

  private printUnresolved (): void {
    const news = this.unresolved.splice(0).filter(({ server }) => !this.known.has(server))

    if (news.length > 0) {
      news.forEach(({ server }) => { this.known.add(server) })
      this.line(unresolvedLine(news))
    }
  }

  private hold (seconds: number): void {
    if (this.countdown != null) {
      return
    }

    const until = performance.now() + seconds * 1_000
    const update = (): void => {
      this.wait(
        `holding the connections, ${Math.max(0, Math.round((until - performance.now()) / 1_000))} s left (Ctrl-C ` +
          'ends the hold)'
      )
    }
    this.write(`\nHolding the connections for ${seconds} s`)
    update()
    this.countdown = setInterval(update, 1_000)
  }

  private wait (text: string): void {
    if (this.spinner?.isSpinning === true) {
      this.spinner.text = `${text} ...`
    } else {
      this.spinner?.start(`${text} ...`)
    }
  }

  private line ({ label, text, tone }: Line): void {
    this.write(
      this.columns() < TWO_COLUMNS
        ? `  ${label}\n    ${this.wrap(text, 4, tone)}`
        : `  ${label.padEnd(LABEL_WIDTH)}${this.wrap(text, LABEL_WIDTH + 2, tone)}`
    )
  }

  private wrap (text: string, indent: number, tone: Tone = 'plain'): string {
    const width = Math.min(MAX_WIDTH, this.columns()) - indent - 1
    const help = new Help()
    // below that it wraps nothing
    help.minWidthToWrap = MIN_WIDTH
    const lines = help.boxWrap(text, Math.max(MIN_WIDTH, width)).split('\n')

    return lines.map(line => this.paint(tone, line)).join(`\n${' '.repeat(indent)}`)
  }

  /**
   * Some terminals report 0 columns, and a pipe has none: then COLUMNS counts
   */
  private columns (): number {
    const { columns = 0 } = this.screen
    const fromEnv = Number(process.env.COLUMNS)

    return columns > 0 ? columns : fromEnv > 0 ? fromEnv : 80
  }

  private paint (tone: Tone, text: string): string {
    // hasColors() respects NO_COLOR
    return tone !== 'plain' && this.screen.isTTY === true && this.screen.hasColors?.() === true
      ? styleText(STYLES[tone], text, { validateStream: false })
      : text
  }

  private write (text: string): void {
    this.screen.write(`${text}\n`)
  }
}

export type Tone = Line['tone'] | 'success' | 'notable' | 'title'

const STYLES: Record<Exclude<Tone, 'plain'>, Parameters<typeof styleText>[0]> = {
  good: 'green',
  bad: 'red',
  success: ['bold', 'green'],
  notable: ['bold', 'yellow'],
  title: 'bold'
}
