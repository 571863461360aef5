/** The conversation in writing: what the caller says while it is recognised, what the bot said. */

const MAX_LINES = 200;

export class Transcript {
  constructor(list) {
    this.list = list;
    this.clear();
  }

  clear() {
    this.list.replaceChildren();
    this.callers = new Map(); // by turn: {line, said, partial}
    this.bots = new Map(); // by turn: {line, text}
  }

  /** Something of the caller's turn was recognised; a final replaces the partials before it. */
  heard(turn, text, isFinal) {
    const one = this.#entry(this.callers, turn, "caller", { said: [], partial: "" });
    if (isFinal) one.said.push(text);
    one.partial = isFinal ? "" : text;
    one.line.classList.toggle("partial", !isFinal);
    this.#write(one.line, [...one.said, one.partial].join(" ").trim());
  }

  /** What the caller said over the bot's turn takes none: it is a listener's nod. */
  backchannel(botTurn, text) {
    const turn = [...this.callers.keys()].find((one) => one > botTurn);
    const line = this.callers.get(turn)?.line ?? this.#line("caller");
    this.callers.delete(turn);
    line.className = "backchannel";
    this.#write(line, text);
  }

  /** The bot does something beside speaking. */
  did(what) {
    this.#line("tool").textContent = `(${what})`;
  }

  /** The caller has typed. */
  typed(text) {
    this.#write(this.#line("caller"), text);
  }

  /** The bot begins to speak; its words may be known only later. */
  speaking(turn) {
    const one = this.#bot(turn);
    if (!one.text) this.#write(one.line, "…");
  }

  /** More of the bot's words; or all of them anew. */
  reply(turn, text, restart = false) {
    const one = this.#bot(turn);
    const before = restart ? "" : one.again ? upTo(one.text, text) : one.text;
    one.text = before + text;
    one.again = false;
    this.#write(one.line, one.text.trim());
  }

  /** Of turns under way, what was not heard is going to be written again. */
  resumed() {
    for (const one of this.bots.values()) one.again = true;
  }

  /** The bot's turn is over, and this is what was heard of it; what was not is struck. */
  spoken(turn, heard, cutOff) {
    const one = this.#bot(turn);
    const whole = one.text.replace(/\s+/g, " ").trim();
    if (!heard && !whole) {
      one.line.remove();
    } else if (!cutOff) {
      this.#write(one.line, heard);
    } else if (whole.startsWith(heard) && whole !== heard) {
      this.#write(one.line, heard, whole.slice(heard.length));
    } else {
      this.#write(one.line, `${heard}…`);
    }
    this.bots.delete(turn);
  }

  #bot(turn) {
    return this.#entry(this.bots, turn, "bot", { text: "" });
  }

  #entry(entries, turn, who, fresh) {
    if (!entries.has(turn)) {
      for (const old of entries.keys()) if (old < turn - 2) entries.delete(old);
      entries.set(turn, { line: this.#line(who), ...fresh });
    }
    return entries.get(turn);
  }

  #line(who) {
    const line = document.createElement("li");
    line.className = who;
    this.list.append(line);
    while (this.list.children.length > MAX_LINES) this.list.firstChild.remove();
    return line;
  }

  /** Show a line's text; `struck` was not heard. Follows the end, unless the reader left it. */
  #write(line, text, struck = "") {
    const list = this.list;
    const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 120;
    const who = document.createElement("span");
    who.className = "who";
    who.textContent = line.classList.contains("bot") ? "Bot: " : "You: ";
    line.replaceChildren(who, text);
    if (struck) {
      const cut = document.createElement("del");
      cut.textContent = struck;
      line.append(cut);
    }
    if (atEnd) list.scrollTop = list.scrollHeight;
  }
}

/** `text` up to where `rest` goes on from: its end is written there again. */
function upTo(text, rest) {
  let at = 0;
  while (!rest.startsWith(text.slice(at)) && !text.startsWith(rest, at)) at++;
  return text.slice(0, at);
}
