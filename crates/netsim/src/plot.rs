//! Line plots as inline SVG, coloured by the style sheet of the page that they are in: what the network carried, and when who was done.

use std::fmt::Write as _;

/// The style sheet of a page with plots.
pub const STYLE: &str = include_str!("style.css");

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 260.0;
const LEFT: f64 = 52.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 26.0;
const BOTTOM: f64 = 40.0;

/// Points of a line, and what the page calls it.
pub struct Line {
    /// Class of the line and of its mark in the legend: a, b or c.
    pub class: &'static str,
    /// In the legend.
    pub name: String,
    /// In the plot's own units, by growing x.
    pub points: Vec<(f64, f64)>,
    /// Filled down to zero.
    pub is_area: bool,
}

/// A plot from 0 to the given ends.
pub struct Plot {
    /// Title for those who do not see it.
    pub title: String,
    /// What is to the right, with its unit.
    pub x_name: &'static str,
    /// Right end.
    pub x_end: f64,
    /// Upper end.
    pub y_end: f64,
    /// Above the numbers at the left.
    pub y_unit: &'static str,
    /// Lines, the first below.
    pub lines: Vec<Line>,
    /// Vertical marks: x and its word.
    pub marks: Vec<(f64, String)>,
}

impl Plot {
    /// The SVG and its legend.
    #[must_use]
    pub fn svg(&self) -> String {
        let mut svg = format!(r#"<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{}">"#, self.title);
        for value in ticks(self.y_end, 4) {
            let y = self.y(value);
            let _ = write!(svg, r#"<path class="grid" d="M{LEFT} {y:.1}H{:.1}"/>"#, WIDTH - RIGHT);
            let _ = write!(svg, r#"<text x="{:.1}" y="{:.1}" text-anchor="end">{}</text>"#, LEFT - 6.0, y + 4.0, number(value));
        }
        let _ = write!(svg, r#"<text x="0" y="12">{}</text>"#, self.y_unit.trim());
        let floor = HEIGHT - BOTTOM;
        for value in ticks(self.x_end, 8) {
            let _ = write!(svg, r#"<text x="{:.1}" y="{:.1}" text-anchor="middle">{}</text>"#, self.x(value), floor + 16.0, number(value));
        }
        let _ = write!(svg, r#"<text x="{:.1}" y="{:.1}" text-anchor="end">{}</text>"#, WIDTH - RIGHT, HEIGHT - 6.0, self.x_name);
        for line in &self.lines {
            svg.push_str(&self.drawn(line));
        }
        for (at, name) in &self.marks {
            let x = self.x(*at);
            // Beside the mark, on the side where there is room.
            let (anchor, beside) = if x > WIDTH * 0.7 { ("end", x - 5.0) } else { ("start", x + 5.0) };
            let _ = write!(svg, r#"<path class="mark" d="M{x:.1} {TOP}V{floor}"/>"#);
            let _ = write!(svg, r#"<text class="mark" x="{beside:.1}" y="{:.1}" text-anchor="{anchor}">{name}</text>"#, TOP + 10.0);
        }
        svg.push_str("</svg><p class=\"legend\">");
        for line in &self.lines {
            let _ = write!(svg, r#"<span><i class="{}"></i>{}</span>"#, line.class, line.name);
        }
        svg.push_str("</p>");
        svg
    }

    fn drawn(&self, line: &Line) -> String {
        let mut path = String::new();
        for (index, (x, y)) in line.points.iter().enumerate() {
            let _ = write!(path, "{}{:.1} {:.1}", if index == 0 { 'M' } else { 'L' }, self.x(*x), self.y(*y));
        }
        let (Some(first), Some(last)) = (line.points.first(), line.points.last()) else { return path };
        let mut drawn = String::new();
        if line.is_area {
            let floor = self.y(0.0);
            let _ = write!(
                drawn,
                r#"<path class="area {}" d="{path}L{:.1} {floor:.1}L{:.1} {floor:.1}Z"/>"#,
                line.class,
                self.x(last.0),
                self.x(first.0)
            );
        }
        let _ = write!(drawn, r#"<path class="line {}" d="{path}"/>"#, line.class);
        drawn
    }

    fn x(&self, value: f64) -> f64 {
        LEFT + (WIDTH - LEFT - RIGHT) * (value / self.x_end).clamp(0.0, 1.0)
    }

    fn y(&self, value: f64) -> f64 {
        HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (value / self.y_end).clamp(0.0, 1.0)
    }
}

/// About `count` round numbers from 0 to `end`.
fn ticks(end: f64, count: u32) -> Vec<f64> {
    let rough = (end / f64::from(count)).max(1e-9);
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|factor| factor * power).find(|step| *step >= rough).unwrap_or(rough);
    (0..=count * 2).map(|index| f64::from(index) * step).take_while(|value| *value <= end * 1.0001).collect()
}

fn number(value: f64) -> String {
    if value.fract().abs() < 1e-9 { format!("{value:.0}") } else { format!("{value:.1}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        assert_eq!(ticks(56.0, 8), vec![0.0, 10.0, 20.0, 30.0, 40.0, 50.0]);
        assert_eq!(ticks(1.0, 4), vec![0.0, 0.5, 1.0]);
    }

    #[test]
    fn a_plot_keeps_its_lines_inside() {
        let line = Line { class: "a", name: "x".into(), points: vec![(0.0, 0.0), (99.0, 99.0)], is_area: true };
        let plot = Plot { title: "t".into(), x_name: "s", x_end: 10.0, y_end: 1.0, y_unit: "", lines: vec![line], marks: Vec::new() };
        assert!(plot.svg().contains("L704.0 26.0"));
    }
}
