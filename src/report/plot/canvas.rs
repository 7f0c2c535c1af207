//! A thin layer over plotters' SVG backend: whole pixels, one font, no environment.

use std::sync::OnceLock;

use plotters::backend::{DrawingBackend, SVGBackend};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{
    Color, FontDesc, FontFamily, FontStyle, RGBColor, ShapeStyle, TextStyle, register_font,
};

use super::palette::{DARK, INK, PAPER};

/// The font that lengths are measured with, then what to show if a viewer has not got it: Verdana
/// has the same measures, other sans-serif faces are narrower.
const FAMILY: &str = "DejaVu Sans, Verdana, sans-serif";
static REGULAR: &[u8] = include_bytes!("../../../assets/fonts/DejaVuSans-subset.ttf");
static BOLD: &[u8] = include_bytes!("../../../assets/fonts/DejaVuSans-Bold-subset.ttf");

/// A plot could not be drawn. Plots are drawn into memory, so this is a defect of mqsim.
#[derive(Debug, thiserror::Error)]
pub enum PlotError {
    /// The committed font could not be read.
    #[error("the built-in font cannot be read")]
    Font,
    /// The drawing library refused.
    #[error("drawing failed: {0}")]
    Drawing(String),
}

type Result<T> = std::result::Result<T, PlotError>;

/// Registers the font once in a process.
fn register() -> Result<()> {
    static READY: OnceLock<bool> = OnceLock::new();
    let ready = READY.get_or_init(|| {
        register_font(FAMILY, FontStyle::Normal, REGULAR).is_ok()
            && register_font(FAMILY, FontStyle::Bold, BOLD).is_ok()
    });
    if *ready { Ok(()) } else { Err(PlotError::Font) }
}

/// How a piece of text looks.
#[derive(Clone, Copy)]
pub(super) struct Type {
    /// Size in pixels.
    pub(super) size: u32,
    /// Colour.
    pub(super) color: RGBColor,
    /// Bold or regular.
    pub(super) bold: bool,
    /// Where its position is: its start, middle or end.
    pub(super) at: HPos,
}

impl Type {
    /// Regular text that starts at its position.
    pub(super) const fn plain(size: u32, color: RGBColor) -> Type {
        Type { size, color, bold: false, at: HPos::Left }
    }

    /// The same in bold.
    pub(super) const fn bold(self) -> Type {
        Type { bold: true, ..self }
    }

    /// The same, centred at its position.
    pub(super) const fn centred(self) -> Type {
        Type { at: HPos::Center, ..self }
    }

    /// The same, ending at its position.
    pub(super) const fn ending(self) -> Type {
        Type { at: HPos::Right, ..self }
    }

    /// plotters' sizes are a line's height: 1.24 times the size that gets into the SVG.
    fn style(self) -> TextStyle<'static> {
        let weight = if self.bold { FontStyle::Bold } else { FontStyle::Normal };
        let font = FontDesc::new(FontFamily::Name(FAMILY), f64::from(self.size) * 1.24, weight);
        let style: TextStyle<'static> = font.into();
        TextStyle { color: self.color.to_backend_color(), ..style }
            .pos(Pos::new(self.at, VPos::Center))
    }
}

/// Something to draw on, `(0, 0)` at its upper left; `(x, y, width, height)` are rectangles.
pub(super) struct Canvas<'a> {
    backend: SVGBackend<'a>,
}

/// A rectangle: x, y, width, height.
pub(super) type Area = (i32, i32, i32, i32);

/// Draws an SVG of that size; `title` and `description` are what screen readers say, the title also
/// tool tips. Where the reader's screen is dark, so is the plot.
pub(super) fn draw(
    size: (i32, i32),
    title: &str,
    description: &str,
    paint: impl FnOnce(&mut Canvas<'_>) -> Result<()>,
) -> Result<String> {
    register()?;
    let mut svg = String::new();
    {
        let backend = SVGBackend::with_string(&mut svg, (size.0 as u32, size.1 as u32));
        let mut canvas = Canvas { backend };
        canvas.fill((0, 0, size.0, size.1), PAPER, OPAQUE)?;
        paint(&mut canvas)?;
        canvas.backend.present().map_err(refused)?;
    }
    let head = svg.find('>').map_or(0, |end| end + 1);
    let (title, description) = (escaped(title), escaped(description));
    svg.insert_str(
        head,
        &format!("\n<title>{title}</title>\n<desc>{description}</desc>\n{}", dark_style()),
    );
    if let Some(open) = head.checked_sub(1) {
        svg.insert_str(open, " role=\"img\"");
    }
    Ok(svg)
}

/// The style by which every colour becomes its dark one. Attributes are what plotters writes; a rule
/// outranks them.
fn dark_style() -> String {
    let hex = |color: RGBColor| format!("#{:02X}{:02X}{:02X}", color.0, color.1, color.2);
    let mut rules = String::new();
    for (light, dark) in DARK {
        let (light, dark) = (hex(light), hex(dark));
        rules +=
            &format!("[fill=\"{light}\"]{{fill:{dark}}}[stroke=\"{light}\"]{{stroke:{dark}}}\n");
    }
    format!("<style>@media (prefers-color-scheme: dark) {{\n{rules}}}</style>")
}

/// Fully opaque, in percent.
pub(super) const OPAQUE: u32 = 100;

fn refused(error: impl std::error::Error) -> PlotError {
    PlotError::Drawing(error.to_string())
}

/// Text as XML takes it.
fn escaped(text: &str) -> String {
    one_line(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Text on one line: control characters, which XML does not allow, become blanks.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// A stroke of that width.
fn stroke(color: RGBColor, width: u32, percent: u32) -> ShapeStyle {
    color.mix(f64::from(percent) / 100.0).stroke_width(width)
}

impl Canvas<'_> {
    /// A filled rectangle.
    pub(super) fn fill(&mut self, area: Area, color: RGBColor, percent: u32) -> Result<()> {
        let (x, y, width, height) = area;
        let style = stroke(color, 1, percent);
        self.backend.draw_rect((x, y), (x + width, y + height), &style, true).map_err(refused)
    }

    /// The outline of a rectangle.
    pub(super) fn outline(&mut self, area: Area, color: RGBColor) -> Result<()> {
        let (x, y, width, height) = area;
        let style = stroke(color, 1, OPAQUE);
        self.backend.draw_rect((x, y), (x + width, y + height), &style, false).map_err(refused)
    }

    /// A straight line, one pixel wide.
    pub(super) fn rule(
        &mut self,
        from: (i32, i32),
        to: (i32, i32),
        color: RGBColor,
        percent: u32,
    ) -> Result<()> {
        self.backend.draw_line(from, to, &stroke(color, 1, percent)).map_err(refused)
    }

    /// A line through points; a single point becomes a dot.
    pub(super) fn path(
        &mut self,
        points: &[(i32, i32)],
        color: RGBColor,
        width: u32,
    ) -> Result<()> {
        match points {
            [] => Ok(()),
            [(x, y)] => {
                let side = width as i32 + 1;
                self.fill((x - side / 2, y - side / 2, side, side), color, OPAQUE)
            }
            _ => {
                let style = stroke(color, width, OPAQUE);
                self.backend.draw_path(points.iter().copied(), &style).map_err(refused)
            }
        }
    }

    /// A filled polygon.
    pub(super) fn polygon(
        &mut self,
        points: &[(i32, i32)],
        color: RGBColor,
        percent: u32,
    ) -> Result<()> {
        let style = stroke(color, 1, percent);
        self.backend.fill_polygon(points.iter().copied(), &style).map_err(refused)
    }

    /// A dot with a white rim, so that it stands out from its line.
    pub(super) fn dot(&mut self, at: (i32, i32), color: RGBColor) -> Result<()> {
        self.backend.draw_circle(at, 5, &stroke(PAPER, 1, OPAQUE), true).map_err(refused)?;
        self.backend.draw_circle(at, 4, &stroke(color, 1, OPAQUE), true).map_err(refused)
    }

    /// Text on one line, centred vertically at `at`.
    pub(super) fn text(&mut self, at: (i32, i32), text: &str, look: Type) -> Result<()> {
        self.backend.draw_text(&one_line(text), &look.style(), at).map_err(refused)
    }

    /// How wide the text is going to be, in pixels; never less than that.
    pub(super) fn width(&self, text: &str, look: Type) -> Result<i32> {
        let size = self.backend.estimate_text_size(&one_line(text), &look.style());
        // plotters takes its size (1.24 times that of the SVG) for the height of the face, which is
        // 1.164 em here: its widths are 6.5 % too wide.
        size.map(|(width, _)| (width * 94).div_ceil(100) as i32).map_err(refused)
    }

    /// The text, cut short with an ellipsis if it is wider than `room`; empty if nothing fits.
    pub(super) fn fitted(&self, text: &str, look: Type, room: i32) -> Result<String> {
        if self.width(text, look)? <= room {
            return Ok(text.to_owned());
        }
        let mut kept: Vec<char> = text.chars().collect();
        while kept.pop().is_some() {
            let shorter: String = kept.iter().collect::<String>().trim_end().to_owned() + "…";
            if self.width(&shorter, look)? <= room {
                return Ok(if kept.is_empty() { String::new() } else { shorter });
            }
        }
        Ok(String::new())
    }

    /// A legend on one line that ends at `right`: a swatch and a word for each entry.
    pub(super) fn legend(
        &mut self,
        right: i32,
        y: i32,
        entries: &[(RGBColor, String)],
    ) -> Result<()> {
        let look = Type::plain(11, INK).ending();
        let mut end = right;
        for (color, word) in entries.iter().rev() {
            self.text((end, y), word, look)?;
            end -= self.width(word, look)? + 18;
            self.fill((end, y - 5, 13, 10), *color, OPAQUE)?;
            end -= 16;
        }
        Ok(())
    }
}
