//! The text of a script: blocks of commands with the output that is expected of them.

/// A line with its number.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) number: usize,
    pub(crate) text: String,
}

/// Commands and what should come of them.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    /// Comments and empty lines before the commands, and comments between them, as written.
    before: Vec<String>,
    pub(crate) commands: Vec<Line>,
    expected: Vec<String>,
}

/// A script.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    pub(crate) blocks: Vec<Block>,
    after: Vec<String>,
}

const RULE: &str = "----";

impl Script {
    /// Reads a script; an error begins with its line.
    pub(crate) fn parse(text: &str) -> Result<Script, String> {
        let mut blocks = Vec::new();
        let (mut before, mut commands): (Vec<String>, Vec<Line>) = (Vec::new(), Vec::new());
        let mut lines = text.lines().enumerate();
        while let Some((index, line)) = lines.next() {
            let comment = line.trim().is_empty() || line.trim_start().starts_with('#');
            if line == RULE {
                if commands.is_empty() {
                    return Err(format!("{}: no command before {RULE}", index + 1));
                }
                let output = lines.by_ref().map(|(_, line)| line.to_owned());
                let expected = output.take_while(|line| !line.is_empty()).collect();
                let (before, commands) =
                    (std::mem::take(&mut before), std::mem::take(&mut commands));
                blocks.push(Block { before, commands, expected });
            } else if comment && commands.is_empty() {
                before.push(line.to_owned());
            } else if comment {
                return Err(format!("{}: a comment or gap amid commands", index + 1));
            } else {
                commands.push(Line { number: index + 1, text: line.to_owned() });
            }
        }
        match commands.first() {
            Some(line) => Err(format!("{}: commands without {RULE}", line.number)),
            None => Ok(Script { blocks, after: before }),
        }
    }

    /// The number of the last command's line.
    pub(crate) fn last_line(&self) -> usize {
        let last = self.blocks.iter().flat_map(|block| &block.commands).last();
        last.map_or(0, |line| line.number)
    }

    /// The script with other outputs.
    pub(crate) fn with_outputs(&self, outputs: &[Vec<String>]) -> String {
        let mut text = String::new();
        let mut add = |line: &str| {
            text.push_str(line);
            text.push('\n');
        };
        for (block, output) in self.blocks.iter().zip(outputs) {
            block.before.iter().for_each(|line| add(line));
            block.commands.iter().for_each(|line| add(&line.text));
            add(RULE);
            output.iter().for_each(|line| add(line));
            add("");
        }
        self.after.iter().for_each(|line| add(line));
        text.truncate(text.trim_end().len());
        text.push('\n');
        text
    }

    /// What is not as expected.
    pub(crate) fn differences(&self, outputs: &[Vec<String>]) -> Vec<String> {
        let mut wrong = Vec::new();
        for (block, output) in self.blocks.iter().zip(outputs) {
            if block.expected != *output {
                let line = &block.commands[0];
                wrong.push(format!("line {}: {}", line.number, line.text));
                wrong.extend(block.expected.iter().map(|line| format!("  expected | {line}")));
                wrong.extend(output.iter().map(|line| format!("  got      | {line}")));
            }
        }
        wrong
    }
}
