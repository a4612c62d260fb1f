import { adviceText } from './advice-text.ts'
import { askNodeCommand, checkAgain, nodePort } from './again.ts'
import { verdictText } from './verdict-text.ts'
import type { CheckFlags } from './again.ts'
import type { VerdictText } from './verdict-text.ts'
import type { CheckReport } from '../check/check.ts'
import type { FamilyReport } from '../check/verdict.ts'

/**
 * A part of the text below the findings. An empty one is an empty line.
 */
export interface Paragraph {
  text: string
  tone?: 'success' | 'notable' | 'title'
  indent?: number

  /**
   * Stands in the indent of the first line
   */
  bullet?: string

  /**
   * It must not be wrapped
   */
  isCommand?: boolean
}

const EMPTY_LINE: Paragraph = { text: '' }

/**
 * The verdict for each IP version, what would help, and which port that was about
 */
export function reportText (report: CheckReport, flags: CheckFlags): Paragraph[] {
  const { verdict, families } = report

  return [
    ...(families.length === 0 ? verdictParagraphs(verdictText(verdict)) : verdictTexts(families)),
    ...adviceTexts(report, flags),
    ...portText(families, flags)
  ]
}

/**
 * A verdict that both IP versions share is said once
 */
function verdictTexts (families: FamilyReport[]): Paragraph[] {
  const texts = families.map(({ findings, verdict }) => ({
    version: findings.version,
    isGood: verdict.kind === 'anyone',
    ...verdictText(verdict, findings)
  }))
  const [first] = texts
  const isShared = texts.every(({ title, explanation }) =>
    title === first.title && explanation === first.explanation)

  if (isShared) {
    return verdictParagraphs(texts[0], undefined, texts[0].isGood)
  }

  return texts.flatMap((text, i) => [
    ...(i === 0 ? [] : [EMPTY_LINE]),
    ...verdictParagraphs(text, text.version, text.isGood)
  ])
}

function verdictParagraphs ({ title, explanation }: VerdictText, version?: 4 | 6, isGood = false): Paragraph[] {
  return [
    { text: `${version == null ? '' : `IPv${version}: `}${title}`, tone: isGood ? 'success' : 'notable' },
    { text: explanation }
  ]
}

function adviceTexts ({ advice, families }: CheckReport, flags: CheckFlags): Paragraph[] {
  if (advice.length === 0) {
    return []
  }

  const heading: Paragraph = { text: `What helps${advice.length > 1 ? ', the easiest first' : ''}`, tone: 'title' }

  return [EMPTY_LINE, heading, ...advice.flatMap((each, i): Paragraph[] => {
    const { text, commands } = adviceText(each, families, flags)
    const [first, ...others] = commands

    return [
      advice.length > 1 ? { text, bullet: `${i + 1}.`, indent: 3 } : { text },
      { text: `Confirm: ${first}`, indent: 3, isCommand: true },
      ...others.map((command): Paragraph => ({ text: `or:      ${command}`, indent: 3, isCommand: true }))
    ]
  })]
}

/**
 * A port that the system has chosen is not the node's
 */
function portText (families: FamilyReport[], flags: CheckFlags): Paragraph[] {
  const ports = families.flatMap(({ findings: { port, version, views } }) =>
    port == null || views.length === 0 ? [] : [{ port, version }])

  if (flags.port !== 0 || ports.length === 0) {
    return []
  }

  const names = ports.map(({ port, version }) => ports.length > 1 ? `${port} (IPv${version})` : `${port}`).join(' and ')

  return [
    EMPTY_LINE,
    {
      text: `This was about local port ${names}, chosen by the system. Your node's own port (${nodePort(flags)} ` +
        'here) can be tested while the node is stopped; a running node can be asked:'
    },
    { text: checkAgain(flags, { more: ['--port', `${nodePort(flags)}`] }), indent: 3, isCommand: true },
    { text: askNodeCommand(flags), indent: 3, isCommand: true }
  ]
}
