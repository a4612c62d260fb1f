import { styleText } from 'node:util'
import { Help } from 'commander'
import { formatEndpoint } from 'libp2p-tcp-stun/net'
import { STUNResolveError } from 'libp2p-tcp-stun/stun'
import yoctoSpinner from 'yocto-spinner'
import { addressLine, failureLine, findingLines, heldLine, serverName, unresolvedLine } from './check-text.ts'
import { verdictText } from './verdict-text.ts'
import type { Line } from './check-text.ts'
import type { CheckReport } from '../check/check.ts'
import type { FailedQuery } from '../check/findings.ts'
import type { Progress } from '../check/progress.ts'

/**
 * Wide enough for every label
 */
const LABEL_WIDTH = 14

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
  private readonly spinner = process.stdout.isTTY
    ? yoctoSpinner({ stream: process.stdout, handleSignals: false })
    : undefined

  private readonly waiting: Progress[] = []

  /**
   * Printed in one line: when the DNS fails, it fails for every server
   */
  private readonly unresolved: FailedQuery[] = []
  private version?: 4 | 6
  private countdown?: NodeJS.Timeout

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
    const { title, advice } = verdictText(report.verdict, report.families)
    this.write(
      `\n${this.wrap(title, 0, report.verdict.kind === 'anyone' ? 'success' : 'notable')}\n${this.wrap(advice, 0)}`
    )
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
      case 'answer': {
        const { server, endpoint, external } = progress.view
        this.line({
          label: 'Server',
          text: `${serverName(server, endpoint)} sees ${formatEndpoint(external)}`,
          tone: 'plain'
        })
        break
      }
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

        if (this.unresolved.length > 0) {
          this.line(unresolvedLine(this.unresolved.splice(0)))
        }

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
    this.write(`  ${label.padEnd(LABEL_WIDTH)}${this.wrap(text, LABEL_WIDTH + 2, tone)}`)
  }

  private wrap (text: string, indent: number, tone: Tone = 'plain'): string {
    // some terminals report 0
    const columns = process.stdout.columns > 0 ? process.stdout.columns : 80
    const width = Math.min(100, columns) - indent - 1
    const lines = new Help().boxWrap(text, Math.max(20, width)).split('\n')

    return lines.map(line => this.paint(tone, line)).join(`\n${' '.repeat(indent)}`)
  }

  private paint (tone: Tone, text: string): string {
    // hasColors() respects NO_COLOR
    return tone !== 'plain' && process.stdout.isTTY && process.stdout.hasColors()
      ? styleText(STYLES[tone], text, { validateStream: false })
      : text
  }

  private write (text: string): void {
    process.stdout.write(`${text}\n`)
  }
}

type Tone = Line['tone'] | 'success' | 'notable' | 'title'

const STYLES: Record<Exclude<Tone, 'plain'>, Parameters<typeof styleText>[0]> = {
  good: 'green',
  bad: 'red',
  success: ['bold', 'green'],
  notable: ['bold', 'yellow'],
  title: 'bold'
}
