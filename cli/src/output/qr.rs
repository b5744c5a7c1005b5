//! QR codes: as blocks for a terminal, and as pictures.

use qrcode::render::svg;
use qrcode::render::unicode::Dense1x2;
use qrcode::{Color, EcLevel, QrCode};

use crate::error::CliError;

/// A link as a QR code.
pub(crate) struct LinkCode(QrCode);

impl LinkCode {
    /// Encodes a link.
    pub(crate) fn of(link: &str) -> Result<Self, CliError> {
        let code = QrCode::with_error_correction_level(link, EcLevel::M);
        code.map(Self).map_err(|_| CliError::LinkTooLong(link.len()))
    }

    /// Two rows of modules for each line of text; light modules are blocks, for light letters on a dark terminal.
    pub(crate) fn to_text(&self) -> String {
        let mut picture = self.0.render::<Dense1x2>();
        picture.dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).build() + "\n"
    }

    pub(crate) fn to_svg(&self) -> String {
        self.0.render::<svg::Color<'_>>().min_dimensions(PIXELS, PIXELS).build() + "\n"
    }

    /// Grey levels, eight bits each.
    pub(crate) fn to_png(&self) -> Result<Vec<u8>, png::EncodingError> {
        let modules = u32::try_from(self.0.width()).unwrap_or(u32::MAX);
        let side = (modules + 2 * MARGIN) * PIXELS_PER_MODULE;
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(&mut file, side, side);
        encoder.set_color(png::ColorType::Grayscale);
        encoder.set_depth(png::BitDepth::Eight);
        let mut writer = encoder.write_header()?;
        let positions = (0..side).flat_map(|y| (0..side).map(move |x| (x, y)));
        let levels: Vec<u8> = positions.map(|(x, y)| self.level(x, y)).collect();
        writer.write_image_data(&levels)?;
        writer.finish()?;
        Ok(file)
    }

    /// The grey level of a pixel; the margin is white.
    fn level(&self, x: u32, y: u32) -> u8 {
        let module = |pixel: u32| (pixel / PIXELS_PER_MODULE).checked_sub(MARGIN).map(|at| at as usize);
        let (Some(x), Some(y)) = (module(x), module(y)) else {
            return WHITE;
        };
        let is_dark = x < self.0.width() && y < self.0.width() && self.0[(x, y)] == Color::Dark;
        if is_dark { BLACK } else { WHITE }
    }
}

/// The least side of an SVG picture.
const PIXELS: u32 = 320;
const PIXELS_PER_MODULE: u32 = 8;
/// Light modules around the code, as the standard demands.
const MARGIN: u32 = 4;
const BLACK: u8 = 0;
const WHITE: u8 = 255;

#[cfg(test)]
mod tests {
    use super::*;

    const LINK: &str = "openvpn://import-profile/https://vpn.example.net/p/Zm9v";

    #[test]
    fn each_line_of_text_holds_two_rows_with_their_margin() {
        let code = LinkCode::of(LINK).unwrap();
        let text = code.to_text();
        let side = code.0.width() + 8;
        assert_eq!(text.lines().count(), side.div_ceil(2));
        assert!(text.lines().all(|line| line.chars().count() == side));
        assert!(text.lines().next().unwrap().chars().all(|block| block == '█'), "{text}");
    }

    #[test]
    fn a_picture_is_the_code_with_its_margin() {
        let code = LinkCode::of(LINK).unwrap();
        let file = code.to_png().unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(file)).read_info().unwrap();
        let mut levels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut levels).unwrap();
        let side = (code.0.width() + 8) * 8;
        assert_eq!((info.width as usize, info.height as usize), (side, side));
        let level = |module: usize| levels[(module * 8 + 4) * side + module * 8 + 4];
        assert_eq!(
            [level(0), level(3), level(4), level(5), level(6)],
            [255, 255, 0, 255, 0],
            "a finder pattern"
        );
    }

    #[test]
    fn a_link_has_a_limit() {
        let too_long = LinkCode::of(&format!("{LINK}/{}", "x".repeat(3000)));
        assert!(matches!(too_long, Err(CliError::LinkTooLong(_))));
    }
}
