import { fileURLToPath } from 'node:url';

/** A page or more, as it is printed: what it is, whom it is for, a table, and what it comes to. */
export interface Drawing {
  title: string;
  /** Below the title, "Not a tax invoice". */
  note: string;
  /** Who writes, line by line. */
  from: string[];
  /** To whom, line by line. */
  to: string[];
  facts: [label: string, value: string][];
  columns: { label: string; width: number; align: 'left' | 'right' }[];
  rows: string[][];
  totals: [label: string, value: string][];
  /** How to pay. */
  foot: string[];
  page: string;
}

const margin = 50;
const line = 16;
const ink = '#1a1a1a';
const faint = '#6b6b6b';
const rule = '#d0d0d0';

const font = (name: string) =>
  fileURLToPath(import.meta.resolve(`dejavu-fonts-ttf/ttf/${name}.ttf`));

/** Draws a paper as a PDF of A4 pages. What its font has no letter for is a box, never a fault. */
export async function drawPaper(it: Drawing): Promise<Buffer> {
  // Loaded when a paper is first drawn: most processes never do.
  const { default: Pdf } = await import('pdfkit');
  const pdf = new Pdf({ size: 'A4', margin, bufferPages: true, info: { Title: it.title } });
  const chunks: Buffer[] = [];
  pdf.on('data', (chunk: Buffer) => chunks.push(chunk));
  const done = new Promise<void>((resolve, reject) => pdf.on('end', resolve).on('error', reject));
  pdf.registerFont('plain', font('DejaVuSans'));
  pdf.registerFont('bold', font('DejaVuSans-Bold'));

  const right = pdf.page.width - margin;
  const bottom = pdf.page.height - margin - 3 * line;
  const put = (text: string, x: number, y: number, more: PDFKit.Mixins.TextOptions = {}) =>
    pdf.text(text, x, y, { lineBreak: false, ...more });
  const bold = (size: number) => pdf.font('bold').fontSize(size).fillColor(ink);
  const plain = (color = ink) => pdf.font('plain').fontSize(9).fillColor(color);

  const pen: Pen = { right, put, bold, plain };
  let y = drawHead(it, pen);

  const cells = (texts: readonly string[], at: number) => {
    let x = margin;
    const last = it.columns.length - 1;
    it.columns.forEach(({ width, align }, n) => {
      put(texts[n] ?? '', x, at, {
        width: n === last ? width : width - 8,
        align,
        ellipsis: true,
        height: line,
      });
      x += width;
    });
  };
  const ruleAt = (at: number) =>
    pdf.moveTo(margin, at).lineTo(right, at).lineWidth(0.5).strokeColor(rule).stroke();
  const head = () => {
    plain(faint);
    cells(
      it.columns.map((column) => column.label),
      y,
    );
    ruleAt(y + line - 2);
    y += line + 4;
  };
  head();
  for (const row of it.rows) {
    if (y > bottom) {
      pdf.addPage();
      y = margin;
      head();
    }
    plain();
    cells(row, y);
    y += line;
  }
  // What it comes to, and how to pay, stay together.
  if (y + (it.totals.length + it.foot.length + 3) * line > bottom + 2 * line) {
    pdf.addPage();
    y = margin;
  }
  ruleAt(y + 2);
  y += 10;
  drawTotals(it, pen, y);
  numberPages(pdf, it.page);
  pdf.end();
  await done;
  return Buffer.concat(chunks);
}

interface Pen {
  right: number;
  put: (text: string, x: number, y: number, more?: PDFKit.Mixins.TextOptions) => unknown;
  bold: (size: number) => unknown;
  plain: (color?: string) => unknown;
}

// Returns where what follows begins.
function drawHead(it: Drawing, { right, put, bold, plain }: Pen): number {
  bold(20);
  put(it.title, margin, margin);
  plain(faint);
  put(it.note, margin, margin + 26);
  it.from.forEach((text, n) => {
    if (n === 0) bold(11);
    else plain(faint);
    put(text, margin, margin + n * line, { width: right - margin, align: 'right' });
  });
  const y = margin + 70;
  it.to.forEach((text, n) => {
    if (n === 0) bold(11);
    else plain(faint);
    put(text, margin, y + n * line);
  });
  it.facts.forEach(([label, value], n) => {
    plain(faint);
    put(label, 330, y + n * line);
    plain();
    put(value, 330, y + n * line, { width: right - 330, align: 'right' });
  });
  return y + Math.max(it.to.length, it.facts.length) * line + 24;
}

function drawTotals(it: Drawing, { right, put, bold, plain }: Pen, from: number): void {
  let y = from;
  it.totals.forEach(([label, value], n) => {
    if (n === it.totals.length - 1) bold(10);
    else plain();
    put(label, 250, y);
    put(value, 330, y, { width: right - 330, align: 'right' });
    y += line;
  });
  y += line;
  for (const text of it.foot) {
    plain();
    put(text, margin, y);
    y += line;
  }
}

function numberPages(pdf: PDFKit.PDFDocument, page: string): void {
  const { count } = pdf.bufferedPageRange();
  for (let n = 0; n < count; n += 1) {
    pdf.switchToPage(n);
    // Below the margin, where text would begin another page.
    pdf.page.margins.bottom = 0;
    const width = pdf.page.width - 2 * margin;
    const at = pdf.page.height - margin;
    pdf.font('plain').fontSize(8).fillColor(faint);
    pdf.text(`${page} ${n + 1}/${count}`, margin, at, { width, align: 'right', lineBreak: false });
    pdf.page.margins.bottom = margin;
  }
}
